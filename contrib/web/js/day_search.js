// SPDX-License-Identifier: BSD-2-Clause
// Finds a moment in a conversation by a few reads of its history. Knows nothing of the page.

// The first message at that moment (milliseconds) or after it, of those with first <= seq <= last; null where there is
// none. read(after) resolves to the first message over that seq, or null. Messages are in the order of time; it takes as
// many reads as `last - first` has binary digits.
export async function firstSince(read, first, last, since) {
    let low = first - 1, high = Math.max(last, low), found = null;
    while (low < high) {
        const middle = low + Math.floor((high - low) / 2);
        const message = await read(middle);
        if (message !== null && Date.parse(message.created_at) < since) {
            low = message.seq;
            continue;
        }
        found = message ?? found;
        high = middle;
    }
    return found;
}

// The moment at which a day begins here, of a date as an <input> has it, 2026-11-23; null for what is none.
export function beginOfDay(date) {
    const parts = date.match(/^(\d{4,6})-(\d{2})-(\d{2})$/)?.slice(1).map(Number);
    return parts ? new Date(parts[0], parts[1] - 1, parts[2]).getTime() : null;
}

// The date of a moment, as an <input> has it.
export function dateOf(time) {
    const date = new Date(time);
    const two = (number) => String(number).padStart(2, '0');
    return `${String(date.getFullYear()).padStart(4, '0')}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}
