// register_new_matrix_user
@main struct Main { static func main() {} }
