// C++ with its library: containers, strings, streams, operator new, a constructor that runs before main.
#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

struct alignas(64) Wide {
    char bytes[64];
};

static const std::vector<std::string> words{"one", "two", "three", "two"};

int main()
{
    std::map<std::string, int> counts;
    for (const auto &word : words)
        counts[word]++;
    std::vector<int> numbers;
    for (int i = 0; i < 100000; i++)
        numbers.push_back((i * 7919) % 100003);
    std::sort(numbers.begin(), numbers.end());
    auto wide = std::make_unique<Wide[]>(10);
    std::ostringstream body;
    for (const auto &[word, count] : counts)
        body << word << ' ' << count << '\n';
    body << std::is_sorted(numbers.begin(), numbers.end()) << ' ' << reinterpret_cast<size_t>(wide.get()) % 64 << '\n';
    std::cout << "Content-Type: text/plain\r\n\r\n" << body.str();
}
