#ifndef REPLICA_TEST_FUZZ_CHANGE_HPP
#define REPLICA_TEST_FUZZ_CHANGE_HPP

// What is done to a sound file of a peer. An input that begins with "--" is SQL that a stock server
// runs on it, of an account after "--account". Any other is a list of edits: where (3 bytes; of an
// account if the first bit is set), how many bytes (1 byte; 0: the file ends there), and the bytes.

#include "node.hpp"
#include <replica/sqlite/chexor.hpp>

#include <sqlite3.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace replica::fuzz {

[[nodiscard]] inline std::string edited(std::string file, std::string_view edits) {
    const auto take = [&] {
        const auto byte = static_cast<unsigned char>(edits.empty() ? '\0' : edits.front());
        edits.remove_prefix(edits.empty() ? 0 : 1);
        return std::size_t{byte};
    };
    while (edits.size() > 4 && !file.empty()) {
        std::size_t at = take(); // one after the other: compilers differ in the order
        at = at << 8 | take();
        at = (at << 8 | take()) % file.size();
        const std::size_t count = std::min(take(), edits.size());
        if (count == 0) {
            file.resize(at);
            continue;
        }
        file.resize(std::max(file.size(), at + count));
        file.replace(at, count, edits.substr(0, count));
        edits.remove_prefix(count);
    }
    return file;
}

/// Runs what of the script can be run, within bounds.
template <class Kind>
void run_sql(Node<Kind>& node, const std::string& script) {
    sqlite3* file = nullptr;
    sqlite3_open_v2(node.upload.c_str(), &file, SQLITE_OPEN_READWRITE, node.vfs.name().c_str());
    static_cast<void>(sqlite::register_chexor(file));
    sqlite3_limit(file, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_limit(file, SQLITE_LIMIT_LENGTH, 1 << 16);
    sqlite3_db_config(file, SQLITE_DBCONFIG_DEFENSIVE, 0, nullptr);
    int rest = 200;
    sqlite3_progress_handler(
        file, 1000, [](void* left) { return --*static_cast<int*>(left) < 0 ? 1 : 0; }, &rest);
    std::size_t at = 0;
    while (at < script.size()) {
        const std::size_t end = std::min(script.find(";\n", at), script.size());
        sqlite3_exec(file, script.substr(at, end - at).c_str(), nullptr, nullptr, nullptr);
        at = end + 2;
    }
    sqlite3_close_v2(file);
}

template <class Kind>
void change_upload(Node<Kind>& node, std::string_view input) {
    if (input.starts_with("--")) {
        run_sql(node, std::string(input));
    } else {
        node.disk.write(node.upload, edited(node.disk.content(node.upload)->bytes, input));
    }
}

/// A door on the kind that an input is for.
template <template <class Kind> class Door>
struct OnBothKinds {
    void operator()(std::string_view input) const {
        const bool edits = !input.starts_with("--");
        const bool high = !input.empty() && static_cast<unsigned char>(input.front()) >= 0x80;
        if (edits ? high : input.starts_with("--account")) {
            Door<AccountKind>()(input);
        } else {
            Door<ContainerKind>()(input);
        }
    }
};

} // namespace replica::fuzz

#endif // REPLICA_TEST_FUZZ_CHANGE_HPP
