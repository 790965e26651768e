"""The programs that are measured, a family to a file: its data, its loss in each library's words, its gradient by hand."""
