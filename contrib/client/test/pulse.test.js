// SPDX-License-Identifier: BSD-2-Clause
// Proves, with a clock of the test, how soon a dead connection is noticed, and that a slow one is not taken for it.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {withClock} from './clock.js';
import {Pulse} from '../src/pulse.js';

function pulseWith(options = {}) {
    const seen = {pings: 0, dead: 0, unsent: 0};
    const pulse = new Pulse({everyMs: () => 10000, patienceMs: 6000, maxMs: 15000, ping: () => seen.pings++,
        unsent: () => seen.unsent, dead: () => seen.dead++, ...options});
    return {pulse, seen};
}

test('a quiet connection is asked, and given up when nothing answers', () => withClock((clock) => {
    const {pulse, seen} = pulseWith();
    for (let i = 0; i < 10; i++) {
        clock.pass(9000);
        pulse.heard();
    }
    assert.deepEqual(seen, {pings: 0, dead: 0, unsent: 0}, 'one that is not quiet is left alone');
    clock.pass(9999);
    assert.equal(seen.pings, 0);
    clock.pass(2);
    assert.deepEqual([seen.pings, seen.dead], [1, 0]);
    clock.pass(5900);
    pulse.heard();
    clock.pass(10001);
    assert.deepEqual([seen.pings, seen.dead], [2, 0], 'an answer within its time is one');
    clock.pass(11800);
    assert.deepEqual([seen.pings, seen.dead, clock.timers], [2, 0, 1], 'the link has shown that it is slow');
    clock.pass(100);
    assert.deepEqual([seen.pings, seen.dead, clock.timers], [2, 1, 0]);
}));

test('a slow link has the time that it needs, and no more than the most', () => withClock((clock) => {
    const {pulse, seen} = pulseWith({openingMs: 7000});
    clock.pass(10000);
    clock.pass(13999);
    assert.deepEqual([seen.pings, seen.dead], [1, 0]);
    pulse.heard();
    clock.pass(10000);
    clock.pass(14999);
    assert.deepEqual([seen.pings, seen.dead], [2, 0]);
    clock.pass(1);
    assert.equal(seen.dead, 1);
}));

test('what waits to leave and does leave shows that the link lives', () => withClock((clock) => {
    const {seen} = pulseWith();
    seen.unsent = 500000;
    clock.pass(10000);
    while (seen.unsent > 0) {
        seen.unsent -= 100000;
        clock.pass(6000);
    }
    assert.equal(seen.dead, 0);
    clock.pass(6000);
    clock.pass(6000);
    assert.equal(seen.dead, 1);
}));

test('a request without an answer: a ping tells whether the server is slow or the link is gone', () => withClock((clock) => {
    const {pulse, seen} = pulseWith();
    pulse.asked();
    pulse.asked();
    clock.pass(5999);
    assert.equal(seen.pings, 0);
    clock.pass(1);
    assert.equal(seen.pings, 1);
    pulse.heard();
    assert.equal(seen.dead, 0);
    pulse.asked();
    clock.pass(24000);
    assert.deepEqual([seen.pings, seen.dead], [2, 1]);
}));

test('doubt shortens it; and what was asleep asks again before it gives up', () => withClock((clock) => {
    const {pulse, seen} = pulseWith();
    pulse.check(2500);
    assert.equal(seen.pings, 1);
    clock.pass(2499);
    assert.equal(seen.dead, 0);
    pulse.heard();
    pulse.check(2500);
    clock.asleep(3600000);
    assert.equal(seen.dead, 0, 'the answer may be there already, unread');
    clock.pass(2500);
    assert.equal(seen.dead, 1);
    const throttled = pulseWith();
    for (let minutes = 0; minutes < 4; minutes++)
        clock.asleep(60000);
    assert.equal(throttled.seen.dead, 1, 'nor does a timer that is always late keep it for ever');
    const stopped = pulseWith();
    stopped.pulse.stop();
    clock.pass(100000);
    assert.equal(stopped.seen.pings, 0);
}));
