// ServerConfigTests
