// ReplicationEndpoints
