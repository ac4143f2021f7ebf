// build error: 'disk\.rename_new\(path, path\)' (is|would be) invalid
#include <replica/disk.hpp>

struct Files {
    struct lock_type {};
    std::vector<replica::Entry> list(const std::string&) { return {}; }
    std::optional<replica::FileStatus> stat(const std::string&) { return {}; }
    bool is_mount(const std::string&) { return true; }
    replica::Space space(const std::string&) { return {}; }
    std::string read(const std::string&, std::size_t) { return {}; }
    std::string read_from(const std::string&, std::int64_t, std::size_t) { return {}; }
    void append(const std::string&, std::string_view) {}
    void make_directories(const std::string&) {}
    void rename(const std::string&, const std::string&) {}
#ifdef FIXED
    bool rename_new(const std::string&, const std::string&) { return true; }
#endif
    void exchange(const std::string&, const std::string&) {}
    bool make_link(const std::string&, const std::string&) { return true; }
    std::optional<std::string> read_link(const std::string&) { return {}; }
    bool remove(const std::string&) { return true; }
    bool remove_empty(const std::string&) { return true; }
    bool remove_tree(const std::string&) { return true; }
    void sync(const std::string&) {}
    std::optional<lock_type> try_lock(const std::string&) { return {}; }
    std::optional<lock_type> try_hold(const std::string&) { return {}; }
    bool is_held(const std::string&) { return false; }
};

void put(replica::Disk auto disk) {
    disk.rename("/a", "/b");
}

int main() {
    put(Files{});
}
