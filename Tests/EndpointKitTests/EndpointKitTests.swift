// EndpointKitTests
