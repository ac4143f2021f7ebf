#ifndef REPLICA_TEST_FUZZ_UPLOAD_DOOR_HPP
#define REPLICA_TEST_FUZZ_UPLOAD_DOOR_HPP

// A database file of a peer, put in place beside nothing and merged with what is there. Whatever it
// holds: rows that were acknowledged here stay, what is in place is whole, and a refused file is
// gone and has changed nothing.
//
// An input that begins with "--" is SQL that a stock server runs on a sound file, of an account
// after "--account". Any other is a list of edits of a sound file: where (3 bytes; of an account if
// the first bit is set), how many bytes (1 byte; 0: the file ends there), and the bytes.

#include "node.hpp"
#include <replica/sqlite/chexor.hpp>

#include <sqlite3.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>

namespace replica::fuzz {

template <class Kind>
struct UploadDoor {
    void operator()(std::string_view input) const {
        Node<Kind>& node = fresh_node<Kind>();
        if (input.starts_with("--")) {
            run_sql(node, std::string(input));
        } else {
            node.disk.write(node.upload, edited(node.disk.content(node.upload)->bytes, input));
        }
        const std::string file = node.disk.content(node.upload)->bytes;
        const auto before = node.files();
        merge_it(node, before);
        put_it_in_place(node, file);
    }

private:
    static void merge_it(Node<Kind>& node, std::map<std::string, std::string> before) {
        const Reply reply = node.ask(R"(["rsync_then_merge", "upload"])");
        const std::string said = std::to_string(reply.status) + ": " + reply.body;
        require(!node.disk.stat(node.upload), "an upload is left in tmp: " + said);
        before.erase(node.upload);
        auto after = node.files();
        std::erase_if(after, [](const auto& file) { return file.first.ends_with(".brakes"); });
        // 503: in place, and its sender is to come again.
        const bool merged = reply.success() || reply.status == 503;
        require(merged || after == before, "refused, and a file has changed: " + said);
        node.require_whole();
        if (reply.success()) {
            auto rows = node.rows();
            if constexpr (requires { rows[0].content_type; }) {
                for (auto& row : rows) { // headers are kept as they came
                    row.content_type.clear();
                    row.etag.clear();
                }
            }
            static_cast<void>(message::encode_rows(rows, "local")); // they can be sent on
        }
    }

    /// The same file where no database is.
    static void put_it_in_place(Node<Kind>& node, const std::string& file) {
        node.restore();
        node.disk.remove(node.path);
        node.disk.write(node.upload, file);
        const Reply reply = node.ask(R"(["complete_rsync", "upload"])");
        require(!node.disk.stat(node.upload), "an upload is left in tmp");
        const auto there = node.disk.content(node.path);
        require(there || !reply.success(), "answers success, and there is no database");
        if (there) {
            auto database = node.broker.open_upload(node.path, Instant::max());
            require(!database.mend_sums(), "hash or sums are wrong");
            require(database.info().name() == Node<Kind>::info().name(), "in another's place");
        }
    }

    [[nodiscard]] static std::string edited(std::string file, std::string_view edits) {
        const auto take = [&] {
            const auto byte = static_cast<unsigned char>(edits.empty() ? '\0' : edits.front());
            edits.remove_prefix(edits.empty() ? 0 : 1);
            return std::size_t{byte};
        };
        while (edits.size() > 4 && !file.empty()) {
            const std::size_t at = (take() << 16 | take() << 8 | take()) % file.size();
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
    static void run_sql(Node<Kind>& node, const std::string& script) {
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
};

struct UploadDoors {
    void operator()(std::string_view input) const {
        const bool edits = !input.starts_with("--");
        const bool high = !input.empty() && static_cast<unsigned char>(input.front()) >= 0x80;
        if (edits ? high : input.starts_with("--account")) {
            UploadDoor<AccountKind>()(input);
        } else {
            UploadDoor<ContainerKind>()(input);
        }
    }
};

} // namespace replica::fuzz

#endif // REPLICA_TEST_FUZZ_UPLOAD_DOOR_HPP
