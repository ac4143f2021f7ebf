#ifndef REPLICA_TEST_LAWS_KIND_HPP
#define REPLICA_TEST_LAWS_KIND_HPP

// The laws of a kind, for any model. `infos`: infos of databases in all the states that the kind
// knows.

#include <replica/kind.hpp>

#include <boost/test/unit_test.hpp>

#include <string_view>
#include <vector>

namespace replica::test {

template <Kind K>
void obeys_the_laws_of_a_kind(const std::vector<typename K::info_type>& infos) {
    // The names are parts of paths.
    for (const std::string_view name : {std::string_view(K::name), std::string_view(K::datadir)}) {
        BOOST_TEST(!name.empty());
        BOOST_TEST(name.find_first_of("/. ") == std::string_view::npos);
    }
    BOOST_TEST(K::default_port > 0);
    for (const auto& info : infos) {
        BOOST_TEST(K::live_rows(info) >= info.count); // no live row is left out
        BOOST_TEST((!K::may_expire(info) || K::may_remove(info)));
        BOOST_TEST(!K::sync_arguments(info, 0).has_value()); // Swift 1.13.1 takes seven
    }
}

} // namespace replica::test

#endif // REPLICA_TEST_LAWS_KIND_HPP
