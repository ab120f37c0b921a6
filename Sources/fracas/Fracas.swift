@main struct Fracas { static func main() {} }
