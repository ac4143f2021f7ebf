// A foreign project: the smallest program that includes the library and links what that needs, a
// hash and some JSON.
#include <replica/replica.hpp>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <iostream>

int main() {
    const replica::HashPath hash{.prefix = "", .suffix = "changeme"};
    const boost::json::object place{{"hash", hash("/AUTH_test/photos")}};
    std::cerr << boost::json::serialize(place) << '\n';
    std::cout << replica::version_major << '.' << replica::version_minor << '.'
              << replica::version_patch << '\n';
}
