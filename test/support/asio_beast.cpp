// Asio's and Beast's own code, compiled once for all our programs that use them: the builds define
// BOOST_ASIO_SEPARATE_COMPILATION and BOOST_BEAST_SEPARATE_COMPILATION for this file and its users.
#include <boost/asio/impl/src.hpp>
#include <boost/beast/src.hpp>
