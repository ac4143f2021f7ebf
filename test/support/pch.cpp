// The owner of the precompiled header; CMake needs a source to compile it for.
