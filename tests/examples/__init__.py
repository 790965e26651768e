"""Scripts as people have them: plain NumPy, written without a thought of derivatives. Only their import line may change."""
