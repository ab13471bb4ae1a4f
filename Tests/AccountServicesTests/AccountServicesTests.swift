// AccountServicesTests
