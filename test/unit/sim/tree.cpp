#include <replica/sim/tree.hpp>

#define BOOST_TEST_MODULE sim_tree
#include <boost/test/unit_test.hpp>

#include <laws/disk.hpp>

#include <map>
#include <string>

using namespace replica;
using test::fails_with;

namespace {

using Names = std::map<std::string, std::string>;

/// A tree on which files are written in one step.
struct Place {
    void write(const std::string& path, const std::string& bytes) {
        tree.fill(*tree.file(path), path, SimContent::of(bytes));
    }

    /// The operation fails with the error, names the path and has changed no name and no byte.
    void refuses(Error error, const std::string& path, auto operation) {
        const Names before = tree.dump();
        BOOST_CHECK_EXCEPTION(operation(), Failure, fails_with(error, path));
        BOOST_TEST((tree.dump() == before));
    }

    void refuses_to_move(Error error, const std::string& from, const std::string& to) {
        BOOST_TEST_CONTEXT("from " << from << " to " << to) {
            refuses(error, from, [&] { tree.move(from, to); });
        }
    }

    SimClock clock;
    SimTree tree{clock};
};

} // namespace

// ---- Paths.

BOOST_AUTO_TEST_CASE(a_path_is_found_however_many_slashes_it_has) {
    Place place;
    place.write("/d/e/f", "1");
    const auto file = place.tree.find("/d/e/f");
    BOOST_REQUIRE(file);
    BOOST_TEST(place.tree.find("//d///e/f") == file);
    BOOST_TEST(place.tree.find("/d/e/") == place.tree.find("/d/e"));
    BOOST_TEST(place.tree.find("/")->directory);
    BOOST_TEST(place.tree.find("") == place.tree.find("/"));
}

BOOST_AUTO_TEST_CASE(what_is_not_there_is_not_found_nor_is_anything_below_a_file) {
    Place place;
    place.write("/d/f", "1");
    BOOST_TEST(!place.tree.find("/none"));
    BOOST_TEST(!place.tree.find("/none/f"));
    BOOST_TEST(!place.tree.find("/d/f/below"));
    BOOST_TEST(!place.tree.find("/d/ff"));
    place.refuses(Error::missing, "/none", [&] { return place.tree.existing("/none"); });
    place.refuses(Error::missing, "/none", [&] { return place.tree.existing_file("/none"); });
    place.refuses(Error::io, "/d", [&] { return place.tree.existing_file("/d"); });
}

BOOST_AUTO_TEST_CASE(a_path_that_names_no_file_is_refused) {
    Place place;
    place.write("/f", "1");
    for (const std::string path : {"", "/", "f", "/d/"}) {
        BOOST_TEST_CONTEXT("'" << path << "'") {
            place.refuses(Error::io, path, [&] { place.tree.file(path); });
            place.refuses(Error::io, path, [&] { place.tree.mount(path, 1); });
            place.refuses(Error::io, path, [&] { place.tree.move("/f", path); });
        }
    }
    place.refuses(Error::io, "/", [&] { place.tree.erase("/"); });
}

BOOST_AUTO_TEST_CASE(a_link_is_a_file_of_its_own_until_it_is_followed) {
    Place place;
    place.write("/d/f", "1");
    place.write("/to_directory", "/d");
    place.tree.find("/to_directory")->link = true;
    place.write("/to_nothing", "/none");
    place.tree.find("/to_nothing")->link = true;
    BOOST_TEST(place.tree.follow("/to_directory") == place.tree.find("/d"));
    BOOST_TEST(place.tree.find("/to_directory") != place.tree.find("/d"));
    BOOST_TEST(!place.tree.follow("/to_nothing"));
    BOOST_TEST(place.tree.find("/to_nothing") != nullptr);
    BOOST_TEST(place.tree.follow("/d/f") == place.tree.find("/d/f"));
    BOOST_TEST(!place.tree.follow("/none"));
}

// ---- Making.

BOOST_AUTO_TEST_CASE(parents_are_made_where_they_are_not_there_and_kept_where_they_are) {
    Place place;
    const auto deep = place.tree.directories("/a/b");
    place.write("/a/c/f", "1");
    BOOST_TEST(place.tree.find("/a/b") == deep);
    BOOST_TEST(
        (place.tree.dump() == Names{{"/a/", ""}, {"/a/b/", ""}, {"/a/c/", ""}, {"/a/c/f", "1"}}));
    BOOST_TEST(place.tree.directories("/a/b") == deep);
    BOOST_TEST(place.tree.directories("/") == place.tree.find("/"));
}

BOOST_AUTO_TEST_CASE(a_file_in_the_way_of_a_directory_stays_and_so_the_other_way_round) {
    Place place;
    place.write("/d/f", "1");
    place.refuses(Error::io, "/d/f/x", [&] { place.tree.directories("/d/f/x"); });
    place.refuses(Error::io, "/d/f", [&] { place.tree.directories("/d/f"); });
    place.refuses(Error::io, "/d/f", [&] { place.tree.file("/d/f/x"); });
    place.refuses(Error::io, "/d", [&] { place.tree.file("/d"); });
}

BOOST_AUTO_TEST_CASE(no_inode_is_given_twice_not_after_a_removal_either) {
    Place place;
    place.write("/f", "1");
    const auto first = place.tree.find("/f")->inode;
    BOOST_TEST(place.tree.erase("/f"));
    place.write("/f", "1");
    BOOST_TEST(place.tree.find("/f")->inode > first);
    BOOST_TEST(place.tree.find("/")->inode != first);
}

BOOST_AUTO_TEST_CASE(a_change_dates_what_was_changed_and_the_directory_of_its_name_only) {
    Place place;
    place.write("/d/f", "1");
    place.write("/e/f", "1");
    const auto dated = [&](const std::string& path) { return place.tree.find(path)->modified_ns; };
    const auto other = dated("/e");
    const auto file = dated("/e/f");
    const auto before = dated("/d");
    place.write("/d/f", "2");
    BOOST_TEST(dated("/d") == before);
    BOOST_TEST(dated("/d/f") > before);
    place.write("/d/g", "1");
    BOOST_TEST(dated("/d") > before);
    const auto grown = dated("/d");
    place.tree.directories("/d/deep");
    BOOST_TEST(dated("/d") > grown);
    const auto full = dated("/d");
    BOOST_TEST(place.tree.erase("/d/g"));
    BOOST_TEST(dated("/d") > full);
    BOOST_TEST(dated("/e") == other);
    place.tree.move("/e/f", "/d/f");
    BOOST_TEST(dated("/e") > other);
    BOOST_TEST(dated("/d/f") == file); // a name is no content
}

// ---- Moving and erasing.

BOOST_AUTO_TEST_CASE(a_file_that_is_moved_replaces_a_file_and_an_empty_directory_a_directory) {
    Place place;
    place.write("/d/new", "new");
    place.write("/d/old", "old");
    const auto node = place.tree.find("/d/new");
    place.tree.move("/d/new", "/d/old");
    BOOST_TEST(place.tree.find("/d/old") == node);
    BOOST_TEST((place.tree.dump() == Names{{"/d/", ""}, {"/d/old", "new"}}));
    place.tree.directories("/empty");
    place.tree.move("/d", "/empty");
    BOOST_TEST((place.tree.dump() == Names{{"/empty/", ""}, {"/empty/old", "new"}}));
}

BOOST_AUTO_TEST_CASE(what_a_kernel_would_not_rename_is_not_moved) {
    Place place;
    place.write("/f", "1");
    place.write("/a/b/g", "2");
    place.tree.directories("/empty");
    place.refuses_to_move(Error::missing, "/none", "/x");
    place.refuses(Error::missing, "/none/x", [&] { place.tree.move("/f", "/none/x"); });
    place.refuses_to_move(Error::io, "/f", "/a/b/g/x"); // below a file
    place.refuses_to_move(Error::io, "/a", "/a/b/x");   // into itself
    place.refuses_to_move(Error::io, "/a", "/a/x");
    place.refuses(Error::exists, "/a", [&] { place.tree.move("/a/b", "/a"); }); // over its parent
    place.refuses(Error::exists, "/a", [&] { place.tree.move("/empty", "/a"); });
    place.refuses(Error::io, "/f", [&] { place.tree.move("/empty", "/f"); });
    place.refuses(Error::io, "/empty", [&] { place.tree.move("/f", "/empty"); });
}

BOOST_AUTO_TEST_CASE(a_name_that_only_begins_alike_is_another_directory) {
    Place place;
    place.write("/a/f", "1");
    place.tree.directories("/ab");
    place.tree.move("/a", "/ab/a");
    BOOST_TEST((place.tree.dump() == Names{{"/ab/", ""}, {"/ab/a/", ""}, {"/ab/a/f", "1"}}));
}

BOOST_AUTO_TEST_CASE(a_file_moved_to_itself_stays) {
    Place place;
    place.write("/d/f", "1");
    const auto dated = place.tree.find("/d")->modified_ns;
    place.tree.move("/d/f", "/d/f");
    BOOST_TEST((place.tree.dump() == Names{{"/d/", ""}, {"/d/f", "1"}}));
    BOOST_TEST(place.tree.find("/d")->modified_ns == dated);
}

BOOST_AUTO_TEST_CASE(a_directory_is_erased_with_all_that_is_in_it_once) {
    Place place;
    place.write("/a/b/f", "1");
    place.write("/a/g", "1");
    BOOST_TEST(place.tree.erase("/a/b"));
    BOOST_TEST((place.tree.dump() == Names{{"/a/", ""}, {"/a/g", "1"}}));
    BOOST_TEST(!place.tree.erase("/a/b"));
    BOOST_TEST(!place.tree.erase("/none/b"));
    BOOST_TEST(!place.tree.erase("/a/g/below"));
}

// ---- Mounts and room.

BOOST_AUTO_TEST_CASE(only_what_is_mounted_now_is_a_mount) {
    Place place;
    BOOST_TEST(place.tree.is_mount("/"));
    BOOST_TEST(!place.tree.is_mount("/srv/sdb1"));
    place.tree.mount("/srv/sdb1", SimTree::unlimited);
    BOOST_TEST(place.tree.is_mount("/srv/sdb1"));
    BOOST_TEST(!place.tree.is_mount("/srv"));
    BOOST_TEST(!place.tree.is_mount("/srv/sdb1/below"));
    place.tree.unmount("/srv/sdb1");
    BOOST_TEST(!place.tree.is_mount("/srv/sdb1"));
}

BOOST_AUTO_TEST_CASE(each_mount_is_a_device_and_keeps_its_number) {
    Place place;
    place.tree.mount("/srv/sdb1", 10);
    place.tree.mount("/srv/sdb2", 10);
    place.write("/srv/sdb1/d/f", "1");
    const auto device = [&](const std::string& path) { return place.tree.find(path)->device; };
    BOOST_TEST(device("/srv/sdb1/d/f") == device("/srv/sdb1"));
    BOOST_TEST(device("/srv/sdb1") != device("/srv/sdb2"));
    BOOST_TEST(device("/srv/sdb1") != device("/srv"));
    BOOST_TEST(device("/srv") == device("/"));
    const auto before = device("/srv/sdb1");
    place.tree.unmount("/srv/sdb1");
    BOOST_TEST(device("/srv/sdb1") == device("/srv"));
    place.tree.mount("/srv/sdb1", 10);
    BOOST_TEST(device("/srv/sdb1/d/f") == before);
}

BOOST_AUTO_TEST_CASE(nothing_goes_from_one_device_to_another_and_no_mount_is_moved_or_erased) {
    Place place;
    place.tree.mount("/srv/sdb1", SimTree::unlimited);
    place.tree.mount("/srv/sdb2", SimTree::unlimited);
    place.write("/srv/sdb1/f", "1");
    place.tree.directories("/srv/empty");
    place.refuses_to_move(Error::io, "/srv/sdb1/f", "/srv/sdb2/f");
    place.refuses_to_move(Error::io, "/srv/sdb1/f", "/f");
    place.refuses_to_move(Error::io, "/srv/sdb1", "/srv/moved");
    place.refuses(Error::io, "/srv/sdb2", [&] { place.tree.move("/srv/empty", "/srv/sdb2"); });
    place.refuses(Error::io, "/srv/sdb2", [&] { place.tree.erase("/srv/sdb2"); });
}

BOOST_AUTO_TEST_CASE(what_is_written_counts_on_its_own_device_alone) {
    Place place;
    place.tree.mount("/m", 100);
    place.tree.mount("/m/inner", 10);
    place.write("/m/f", "123");
    place.write("/m/inner/g", "12345");
    place.write("/elsewhere", "1234567");
    const auto usage = [&](const std::string& path) {
        return place.tree.usage(*place.tree.find(path));
    };
    BOOST_TEST((usage("/m/f") == std::pair<std::uint64_t, std::uint64_t>(100, 3)));
    BOOST_TEST((usage("/m/inner") == std::pair<std::uint64_t, std::uint64_t>(10, 5)));
    BOOST_TEST(usage("/elsewhere").first == SimTree::unlimited);
}

BOOST_AUTO_TEST_CASE(a_file_fills_its_device_to_the_last_byte_and_no_further) {
    Place place;
    place.tree.mount("/m", 5);
    place.write("/m/f", "12345");
    place.tree.file("/m/g");
    place.refuses(Error::no_space, "/m/g", [&] { place.write("/m/g", "1"); });
    place.refuses(Error::no_space, "/m/f", [&] { place.write("/m/f", "123456"); });
    place.write("/m/f", "1234");
    place.write("/m/g", "1");
    place.tree.mount("/m", 1); // smaller than what is on it: only shrinking is possible
    place.refuses(Error::no_space, "/m/g", [&] { place.write("/m/g", "12"); });
    place.write("/m/f", "1"); // though two bytes are still one too many
}

BOOST_AUTO_TEST_CASE(what_cannot_be_unmounted_is_named) {
    Place place;
    place.tree.directories("/srv/plain");
    place.refuses(Error::missing, "/srv/plain", [&] { place.tree.unmount("/srv/plain"); });
    place.refuses(Error::missing, "/none", [&] { place.tree.unmount("/none/sdb1"); });
}

BOOST_AUTO_TEST_CASE(a_device_that_comes_back_has_lost_nothing) {
    Place place;
    place.tree.mount("/srv/sdb1", SimTree::unlimited);
    place.write("/srv/sdb1/f", "1");
    const auto node = place.tree.find("/srv/sdb1/f");
    place.tree.unmount("/srv/sdb1");
    BOOST_TEST(!place.tree.find("/srv/sdb1/f"));
    BOOST_TEST(place.tree.find("/srv/sdb1")->entries.empty());
    place.tree.mount("/srv/sdb1", SimTree::unlimited);
    BOOST_TEST(place.tree.find("/srv/sdb1/f") == node);
}

BOOST_AUTO_TEST_CASE(a_machine_mounts_its_devices_again_after_a_crash) {
    Place place;
    place.tree.mount("/srv/sdb1", 100);
    place.tree.mount("/srv/sdb2", 100);
    place.write("/srv/sdb1/f", "1");
    SimNode::settle(place.tree.find("/srv/sdb1")); // though nobody synced the root's own entries
    place.tree.unmount("/srv/sdb2");
    place.tree.crash();
    BOOST_TEST(place.tree.is_mount("/srv/sdb1"));
    BOOST_TEST(place.tree.find("/srv/sdb1/f") != nullptr);
    BOOST_TEST(!place.tree.is_mount("/srv/sdb2"));
}

// ---- Bytes of a file.

BOOST_AUTO_TEST_CASE(bytes_are_written_at_a_place_and_cut_off_at_one) {
    Place place;
    place.write("/f", "12345");
    const auto node = place.tree.find("/f");
    const auto dated = node->modified_ns;
    place.tree.write(*node, "/f", 3, "xyz");
    BOOST_TEST(node->content.bytes == "123xyz");
    BOOST_TEST(node->content.size == 6);
    BOOST_TEST(node->modified_ns > dated);
    place.tree.resize(*node, "/f", 2);
    BOOST_TEST(node->content.bytes == "12");
    BOOST_TEST(node->content.size == 2);
    place.tree.settle();
    place.tree.write(*node, "/f", 0, "lost");
    place.tree.crash();
    BOOST_TEST(node->content.bytes == "12");
    BOOST_TEST(node->content.size == 2);
}

BOOST_AUTO_TEST_CASE(only_what_grows_needs_room) {
    Place place;
    place.tree.mount("/m", 10);
    place.write("/m/f", "12345678");
    const auto node = place.tree.find("/m/f");
    place.tree.write(*node, "/m/f", 8, "90");
    place.refuses(Error::no_space, "/m/f", [&] { place.tree.write(*node, "/m/f", 9, "0x"); });
    place.refuses(Error::no_space, "/m/f", [&] { place.tree.write(*node, "/m/f", 100, "x"); });
    place.refuses(Error::no_space, "/m/f", [&] { place.tree.resize(*node, "/m/f", 11); });
    place.tree.write(*node, "/m/f", 0, "xxxxxxxxxx");
    place.tree.resize(*node, "/m/f", 0);
    place.tree.resize(*node, "/m/f", 10);
}

BOOST_AUTO_TEST_CASE(a_very_large_file_that_somebody_writes_to_is_as_long_as_its_bytes) {
    Place place;
    const auto node = place.tree.file("/f");
    place.tree.fill(*node, "/f", SimContent{"head", 4096});
    BOOST_TEST(node->content.size == 4096);
    place.tree.write(*node, "/f", 4, "!");
    BOOST_TEST(node->content.bytes == "head!");
    BOOST_TEST(node->content.size == 5);
}

BOOST_AUTO_TEST_CASE(a_file_is_present_while_its_device_is_mounted) {
    Place place;
    place.tree.mount("/m", 100);
    place.write("/m/f", "1");
    place.write("/g", "1");
    const auto node = place.tree.find("/m/f");
    BOOST_TEST(place.tree.is_present(*node));
    place.tree.unmount("/m");
    BOOST_TEST(!place.tree.is_present(*node));
    BOOST_TEST(place.tree.is_present(*place.tree.find("/g")));
    place.tree.mount("/m", 100);
    BOOST_TEST(place.tree.is_present(*node));
}

BOOST_AUTO_TEST_CASE(a_file_without_a_name_is_nowhere) {
    Place place;
    const auto node = place.tree.nameless();
    place.tree.write(*node, "", 0, "1");
    BOOST_TEST(node->content.bytes == "1");
    BOOST_TEST(place.tree.dump().empty());
}

// ---- Crashes.

BOOST_AUTO_TEST_CASE(a_crash_reaches_a_device_that_is_not_mounted_at_the_time) {
    Place place;
    place.tree.mount("/srv/sdb1", 100);
    place.write("/srv/sdb1/kept", "1");
    place.tree.settle();
    place.write("/srv/sdb1/lost", "1");
    place.tree.unmount("/srv/sdb1");
    place.tree.crash();
    place.tree.mount("/srv/sdb1", 100);
    BOOST_TEST(place.tree.find("/srv/sdb1/kept") != nullptr);
    BOOST_TEST(!place.tree.find("/srv/sdb1/lost"));
}

BOOST_AUTO_TEST_CASE(what_is_settled_is_what_a_crash_goes_back_to) {
    Place place;
    place.tree.mount("/m", 100);
    place.write("/m/d/f", "1");
    place.write("/g", "1");
    place.tree.settle();
    const Names settled = place.tree.dump();
    place.write("/m/d/f", "2");
    place.write("/m/d/h", "2");
    BOOST_TEST(place.tree.erase("/g"));
    place.tree.crash();
    BOOST_TEST((place.tree.dump() == settled));
}
