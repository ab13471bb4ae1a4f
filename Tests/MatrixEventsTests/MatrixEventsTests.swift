// MatrixEventsTests
