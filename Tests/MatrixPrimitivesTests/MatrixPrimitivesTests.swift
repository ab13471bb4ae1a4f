// MatrixPrimitivesTests
