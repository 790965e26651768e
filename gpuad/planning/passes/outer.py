from gpuad.planning.program import Program


def outer(program: Program) -> Program:
    return program
