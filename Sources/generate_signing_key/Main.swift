// generate_signing_key
@main struct Main { static func main() {} }
