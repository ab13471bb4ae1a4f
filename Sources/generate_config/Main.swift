// generate_config
@main struct Main { static func main() {} }
