// ClientEndpoints
