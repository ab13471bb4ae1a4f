// AdminEndpoints
