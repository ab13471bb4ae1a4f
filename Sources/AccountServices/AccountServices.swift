// AccountServices
