// SPDX-License-Identifier: BSD-2-Clause
// What time it is, by the server's clock where that is known, for times in messages are the server's; and when a new day
// begins, for what is shown as "today" is so until midnight only.

const DAY_MS = 86400000;
const CHECK_MS = 60000; // a timer does not run while the machine sleeps

let source = () => Date.now();

// milliseconds(): since 1970
export function takeTimeFrom(milliseconds) {
    source = milliseconds;
}

export function now() {
    return source();
}

// Days since 1970 in the local time zone.
export function dayOf(time) {
    const date = new Date(time);
    return Math.floor((date.getTime() - date.getTimezoneOffset() * 60000) / DAY_MS);
}

export function daysAgo(time) {
    return dayOf(now()) - dayOf(time);
}

function untilMidnight() {
    const date = new Date(now());
    return new Date(date.getFullYear(), date.getMonth(), date.getDate() + 1) - date;
}

// Calls back soon after midnight, or when the page is looked at again after it. Returns the function that ends that.
export function onNewDay(callback) {
    let day = dayOf(now());
    let timer = null;
    const check = () => {
        clearTimeout(timer);
        timer = setTimeout(check, Math.min(CHECK_MS, untilMidnight() + 50));
        const today = dayOf(now());
        if (today === day)
            return;
        day = today;
        callback();
    };
    for (const name of ['visibilitychange', 'focus'])
        addEventListener(name, check, true);
    check();
    return () => {
        clearTimeout(timer);
        for (const name of ['visibilitychange', 'focus'])
            removeEventListener(name, check, true);
    };
}
