#include <replica/receive/put_file.hpp>

#define BOOST_TEST_MODULE put_file
#include <replica/disk/posix.hpp>
#include <replica/sim/disk.hpp>

#include <boost/test/unit_test.hpp>

#include <support/each_call.hpp>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

using namespace replica;
using namespace replica::test;
using message::PutFile;

namespace {

using Names = std::vector<std::string>;

/// The tmp of one device, and a file that comes in three pieces of four bytes.
struct Node {
    static constexpr const char* tmp = "/srv/node/sda/tmp";
    const std::string file = "0123456789ab";

    [[nodiscard]] static std::string part_of(const std::string& file, const std::string& name) {
        return name + '.' + sha256(file) + ".part";
    }

    /// The piece at `offset`, of at most four bytes.
    std::int64_t put(std::int64_t offset, const std::string& of, const std::string& name = "id") {
        const PutFile put{name, offset, std::ssize(of), sha256(of)};
        return put_piece(disk, tmp, put, of.substr(static_cast<std::size_t>(offset), 4), random);
    }
    std::int64_t put(std::int64_t offset) { return put(offset, file); }

    std::int64_t put_at_once(const std::string& of, const std::string& name = "id") {
        return put_piece(disk, tmp, {name, 0, std::ssize(of), sha256(of)}, of, random);
    }

    [[nodiscard]] Names names() const {
        Names names;
        if (disk.stat(tmp)) {
            for (const Entry& entry : disk.list(tmp)) {
                names.push_back(entry.name);
            }
        }
        std::ranges::sort(names);
        return names;
    }

    [[nodiscard]] std::string content(const std::string& name) const {
        return disk.content(std::string(tmp) + '/' + name)->bytes;
    }

    [[nodiscard]] bool has(const std::string& name) const {
        return disk.stat(std::string(tmp) + '/' + name).has_value();
    }

    SimClock clock;
    SimDisk disk{clock};
    Random random{1};
};

bool fails_as_corrupt(const Failure& failure) {
    return failure.error() == Error::corrupt;
}

} // namespace

BOOST_AUTO_TEST_CASE(a_file_in_one_piece_has_its_name_at_once) {
    Node node;
    BOOST_TEST(node.put_at_once(node.file) == 12);
    BOOST_TEST(node.names() == Names{"id"}, boost::test_tools::per_element());
    BOOST_TEST(node.content("id") == node.file);
    BOOST_TEST(node.put_at_once("") == 0); // over the other
    BOOST_TEST(node.names() == Names{"id"}, boost::test_tools::per_element());
    BOOST_TEST(node.content("id").empty());
}

BOOST_AUTO_TEST_CASE(a_file_in_pieces_has_its_name_once_all_have_come) {
    Node node;
    const Names only_part{Node::part_of(node.file, "id")};
    BOOST_TEST(node.put(0) == 4);
    BOOST_TEST(node.names() == only_part, boost::test_tools::per_element());
    BOOST_TEST(node.put(4) == 8);
    BOOST_TEST(node.names() == only_part, boost::test_tools::per_element());
    BOOST_TEST(node.put(8) == 12);
    BOOST_TEST(node.names() == Names{"id"}, boost::test_tools::per_element());
    BOOST_TEST(node.content("id") == node.file);
}

BOOST_AUTO_TEST_CASE(a_repeated_piece_changes_nothing) {
    Node node;
    node.put(0);
    BOOST_TEST(node.put(0) == 4);
    node.put(4);
    BOOST_TEST(node.put(0) == 8);
    BOOST_TEST(node.put(4) == 8);
    BOOST_TEST(node.content(Node::part_of(node.file, "id")) == "01234567");
    node.put(8);
    BOOST_TEST(node.content("id") == node.file);
}

BOOST_AUTO_TEST_CASE(a_piece_beyond_a_gap_is_not_taken) {
    Node node;
    BOOST_TEST(node.put(4) == 0);
    BOOST_TEST(node.names().empty());
    node.put(0);
    BOOST_TEST(node.put(8) == 4);
    BOOST_TEST(node.content(Node::part_of(node.file, "id")) == "0123");
    BOOST_TEST(node.put(4) == 8); // the sender goes on from there
}

BOOST_AUTO_TEST_CASE(a_piece_that_was_written_in_part_is_completed) {
    Node node;
    node.put(0);
    node.disk.write(std::string(Node::tmp) + '/' + Node::part_of(node.file, "id"), "012345");
    BOOST_TEST(node.put(4) == 8);
    BOOST_TEST(node.put(8) == 12);
    BOOST_TEST(node.content("id") == node.file);
}

BOOST_AUTO_TEST_CASE(late_pieces_of_a_file_that_is_in_place_do_not_touch_it) {
    Node node;
    node.put(0);
    node.put(4);
    node.put(8);
    node.disk.rename(std::string(Node::tmp) + "/id", std::string(Node::tmp) + "/id.x.claimed");
    BOOST_TEST(node.put(8) == 0);
    BOOST_TEST(node.put(4) == 0);
    BOOST_TEST(node.names() == Names{"id.x.claimed"}, boost::test_tools::per_element());
    BOOST_TEST(node.put(0) == 4); // a part again, which the sweep removes
    BOOST_TEST(!node.has("id"));
    BOOST_TEST(node.content("id.x.claimed") == node.file);
}

BOOST_AUTO_TEST_CASE(two_files_under_one_name_do_not_mix) {
    Node node;
    const std::string other = "abcdefghijkl";
    node.put(0);
    node.put(0, other);
    node.put(4);
    node.put(4, other);
    node.put(8, other);
    BOOST_TEST(node.content("id") == other);
    node.put(8);
    BOOST_TEST(node.content("id") == node.file); // the last one to end, whole
    BOOST_TEST(node.names() == Names{"id"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_file_that_is_not_what_was_announced_gets_no_name) {
    Node node;
    const PutFile put{"id", 0, 4, sha256("abcd")};
    BOOST_CHECK_EXCEPTION(
        static_cast<void>(put_piece(node.disk, Node::tmp, put, "abce", node.random)), Failure,
        fails_as_corrupt);
    BOOST_TEST(node.names().empty());
    node.put(0);
    node.put(4);
    node.disk.write(std::string(Node::tmp) + '/' + Node::part_of(node.file, "id"),
                    std::string(8, '\0')); // as after a power cut
    BOOST_CHECK_EXCEPTION(node.put(8), Failure, fails_as_corrupt);
    BOOST_TEST(node.names().empty()); // so that the next sender begins anew
    node.put(0);
    node.put(4);
    BOOST_TEST(node.put(8) == 12);
}

BOOST_AUTO_TEST_CASE(a_file_that_lies_there_is_replaced_and_a_directory_is_not) {
    Node node;
    node.disk.write(std::string(Node::tmp) + "/id", "of an rsync");
    node.put_at_once(node.file);
    BOOST_TEST(node.content("id") == node.file);
    node.disk.make_directories(std::string(Node::tmp) + "/other/inside");
    BOOST_CHECK_THROW(node.put_at_once(node.file, "other"), Failure);
    BOOST_TEST(node.names() == (Names{"id", "other"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_link_in_the_place_of_a_part_is_not_written_through) {
    Node node;
    node.put(0);
    const std::string part = std::string(Node::tmp) + '/' + Node::part_of(node.file, "id");
    node.disk.write("/srv/node/sda/live.db", "0123");
    node.disk.remove(part);
    BOOST_TEST(node.disk.make_link("/srv/node/sda/live.db", part));
    BOOST_CHECK_THROW(node.put(4), Failure);
    BOOST_TEST(node.disk.content("/srv/node/sda/live.db")->bytes == "0123");
    BOOST_TEST(node.names().empty());
}

BOOST_AUTO_TEST_CASE(nobody_finds_a_part_while_another_writes_to_it) {
    Node node;
    node.put(0);
    std::optional<std::int64_t> seen;
    node.disk.on_call([&](SimCall call, const std::string& path) {
        if (call == SimCall::write && path.ends_with(".part") && !seen) {
            seen = 0; // its own calls are not looked at
            BOOST_TEST(!node.has(Node::part_of(node.file, "id")));
            seen = node.put(4);
        }
    });
    BOOST_TEST(node.put(4) == 8);
    BOOST_TEST(seen.value() == 0);
    node.disk.on_call(nullptr);
    BOOST_TEST(node.put(8) == 12);
}

BOOST_AUTO_TEST_CASE(whichever_call_fails_the_upload_is_the_old_one_or_the_new_one) {
    const auto make = [] {
        auto node = std::make_unique<Node>();
        node->disk.write(std::string(Node::tmp) + "/id", "old");
        node->put(0);
        node->put(4);
        return node;
    };
    const auto check = [](Node& node, bool done) {
        BOOST_TEST(node.content("id") == (done ? node.file : "old"));
        for (std::int64_t have = node.put(0); have < 12;) { // a sender goes on from there
            have = node.put(have);
        }
        BOOST_TEST(node.content("id") == node.file);
        BOOST_TEST(node.names().size() <= 2U); // what could not be removed
    };
    const auto last = [](Node& node) { node.put(8); };
    BOOST_TEST(with_each_call_failing(make, last, check, {Error::io, Error::no_space}) > 5);
}

BOOST_AUTO_TEST_CASE(whenever_the_power_goes_a_sender_that_begins_anew_comes_to_the_end) {
    const auto make = [] {
        auto node = std::make_unique<Node>();
        node->disk.make_directories(Node::tmp);
        return node;
    };
    const auto all = [](Node& node) {
        node.put(0);
        node.put(4);
        node.put(8);
    };
    const auto check = [](Node& node, bool /*done*/) {
        std::int64_t have = 0;
        for (int tries = 0; have < 12 && tries < 12; ++tries) {
            try {
                have = node.put(have);
            } catch (const Failure& failure) {
                BOOST_TEST((failure.error() == Error::corrupt)); // the part had lost bytes
                have = 0;
            }
        }
        BOOST_TEST(node.content("id") == node.file);
    };
    BOOST_TEST(with_a_crash_before_each_call(make, all, check) > 10);
}

BOOST_AUTO_TEST_CASE(files_of_this_machine_come_in_the_same_way) {
    std::string pattern = (std::filesystem::temp_directory_path() / "replica-put-XXXXXX").string();
    BOOST_REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    const std::string tmp = pattern + "/tmp";
    PosixDisk disk;
    Random random(1);
    std::string file;
    for (int i = 0; i < 2'500'000; ++i) {
        file += static_cast<char>(i % 251);
    }
    PutFile put{"id", 0, std::ssize(file), sha256(file)};
    int pieces = 0;
    for (; put.offset < put.size; ++pieces) {
        const auto piece = std::string_view(file).substr(static_cast<std::size_t>(put.offset),
                                                         PutFile::most_bytes);
        put.offset = put_piece(disk, tmp, put, piece, random);
    }
    BOOST_TEST(pieces == 3);
    BOOST_TEST((disk.read(tmp + "/id", 3'000'000) == file));
    BOOST_TEST(disk.list(tmp).size() == 1U);
    BOOST_TEST((std::filesystem::status(tmp + "/id").permissions() ==
                (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write)));
    std::filesystem::remove_all(pattern);
}
