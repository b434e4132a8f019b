#pragma once

/// How a computation without PostgreSQL learns that nobody waits for it any more.
namespace tenancy {

/// Throws when the statement was cancelled or the session is to end; does nothing until the server sets it.
using interrupt_check = void (*)();

namespace detail {
inline interrupt_check check_for_interrupts = nullptr;
} // namespace detail

inline void set_interrupt_check(interrupt_check check) noexcept { detail::check_for_interrupts = check; }

/// To be called in every loop over what a caller's data can make long.
inline void look_for_interrupts() {
    if (detail::check_for_interrupts) detail::check_for_interrupts();
}

/// Looks for interrupts at every so manieth call: for loops whose turns are too short to ask each time.
class interrupt_counter {
public:
    void operator()() {
        if ((++m_turns & 4095) == 0) look_for_interrupts();
    }

private:
    unsigned m_turns = 0;
};

} // namespace tenancy
