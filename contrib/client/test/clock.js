// SPDX-License-Identifier: BSD-2-Clause
// A clock of the test in place of the real one.

// Time passes when the test says so. asleep(ms): it passes and no timer runs before the end.
export function withClock(body) {
    const real = {setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout, now: Date.now};
    const timers = new Map();
    let now = 1e12, last = 0;
    globalThis.setTimeout = (callback, ms) => (timers.set(++last, {at: now + ms, callback}), last);
    globalThis.clearTimeout = (id) => timers.delete(id);
    Date.now = () => now;
    const runDue = () => {
        for (const [id, {at, callback}] of [...timers].sort((a, b) => a[1].at - b[1].at)) {
            if (at <= now && timers.delete(id))
                callback();
        }
    };
    const clock = {
        pass: (ms) => {
            for (const end = now + ms; now < end;) {
                now = Math.min(end, Math.max(now, ...[Math.min(...[...timers.values()].map((t) => t.at))].filter(Number.isFinite), now + 1));
                runDue();
            }
        },
        asleep: (ms) => {
            now += ms;
            runDue();
        },
        get timers() {
            return timers.size;
        },
    };
    try {
        body(clock);
    } finally {
        Object.assign(globalThis, {setTimeout: real.setTimeout, clearTimeout: real.clearTimeout});
        Date.now = real.now;
    }
}

// Time passes by itself: as soon as nothing else is under way, to the timer that is next. pass(ms) is told.
export async function withFastClock(pass, body) {
    const real = {setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout};
    const timers = new Map(); // id -> {at, callback}
    let now = 0, last = 0, isOver = false;
    globalThis.setTimeout = (callback, ms = 0) => (timers.set(++last, {at: now + ms, callback}), last);
    globalThis.clearTimeout = (id) => timers.delete(id);
    const done = body().finally(() => {
        isOver = true;
    });
    done.catch(() => {}); // it is returned
    while (!isOver || timers.size > 0) {
        for (let turns = 0; turns < 20; turns++)
            await new Promise(setImmediate);
        const [id, timer] = [...timers].sort((a, b) => a[1].at - b[1].at)[0] ?? [];
        if (timer === undefined)
            continue;
        timers.delete(id);
        pass(timer.at - now);
        now = timer.at;
        timer.callback();
    }
    Object.assign(globalThis, real);
    return done;
}
