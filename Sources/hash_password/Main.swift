// hash_password
@main struct Main { static func main() {} }
