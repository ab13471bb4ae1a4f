// MatrixEvents
