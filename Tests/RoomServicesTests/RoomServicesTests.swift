// RoomServicesTests
