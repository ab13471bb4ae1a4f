// StorageEngineTests
