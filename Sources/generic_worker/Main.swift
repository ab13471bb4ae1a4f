// generic_worker
@main struct Main { static func main() {} }
