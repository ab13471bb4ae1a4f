// MatrixPrimitives
