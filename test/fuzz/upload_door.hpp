#ifndef REPLICA_TEST_FUZZ_UPLOAD_DOOR_HPP
#define REPLICA_TEST_FUZZ_UPLOAD_DOOR_HPP

// A database file of a peer, put in place beside nothing and merged with what is there. Whatever it
// holds: rows that were acknowledged here stay, what is in place is whole, and a refused file is
// gone and has changed nothing.
// Inputs: change.hpp.

#include "change.hpp"
#include "node.hpp"

#include <map>
#include <string>
#include <string_view>

namespace replica::fuzz {

template <class Kind>
struct UploadDoor {
    void operator()(std::string_view input) const {
        Node<Kind>& node = fresh_node<Kind>();
        change_upload(node, input);
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
};

using UploadDoors = OnBothKinds<UploadDoor>;

} // namespace replica::fuzz

#endif // REPLICA_TEST_FUZZ_UPLOAD_DOOR_HPP
