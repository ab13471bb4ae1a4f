// RoomServices
