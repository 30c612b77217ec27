// SPDX-License-Identifier: BSD-2-Clause
// Proves how the operator's page reads Prometheus' text, and what it makes of two readings.
import assert from 'node:assert/strict';
import {test} from 'node:test';

const {counted, quantile, rate, Reading, Readings} = await import(`${process.env.TIDINGS_ADMIN_PAGE}/js/figures.js`);

const histogram = (...counts) => ['0.001', '0.002', '0.004', '+Inf'].map((le, i) => `tidings_x_bucket{le="${le}"} ${counts[i]}`)
    .concat(`tidings_x_sum 1`, `tidings_x_count ${counts.at(-1)}`).join('\n');

test('labels, escapes and comments', () => {
    const reading = new Reading(0, '# HELP a An a\n# TYPE a counter\na{b="x",c="\\"y\\\\\\n}"} 3\na{b="z"} 4\nlone 1.5e3\nbroken{ 1\n\nn NaN extra');
    assert.deepEqual(reading.all('a'), [{labels: {b: 'x', c: '"y\\\n}'}, value: 3}, {labels: {b: 'z'}, value: 4}]);
    assert.equal(reading.sum('a'), 7);
    assert.equal(reading.sum('lone'), 1500);
    assert.equal(reading.sum('broken'), null);
    assert.equal(new Reading(0, 'a 1\nb 2', (name) => name === 'b').sum('a'), null, 'what is not wanted is not kept');
});

test('a rate is per second, and never below nothing', () => {
    assert.equal(rate(new Reading(1000, 'a 10'), new Reading(3000, 'a 30'), 'a'), 10);
    assert.equal(rate(new Reading(1000, 'a{x="1"} 10'), new Reading(2000, 'a{x="1"} 10\na{x="2"} 5'), 'a'), 5);
    assert.equal(rate(new Reading(1000, 'a 1000'), new Reading(2000, 'a 7'), 'a'), 7, 'a node that was restarted counts from 0');
    assert.equal(rate(new Reading(1000, 'a 1'), new Reading(1000, 'a 2'), 'a'), null);
    assert.equal(rate(new Reading(1000, ''), new Reading(2000, 'a 2'), 'a'), null);
});

test('quantiles are those of what came between', () => {
    const before = new Reading(0, histogram(100, 100, 100, 100)), after = new Reading(1, histogram(110, 120, 120, 120));
    assert.equal(counted(before, after, 'tidings_x'), 20);
    assert.equal(quantile(before, after, 'tidings_x', 0.5), 0.001);
    assert.equal(quantile(before, after, 'tidings_x', 0.75), 0.0015);
    assert.equal(quantile(before, before, 'tidings_x', 0.5), null, 'nothing came');
    assert.equal(quantile(new Reading(0, ''), new Reading(1, histogram(0, 0, 0, 5)), 'tidings_x', 0.99), 0.004, 'over the last bound');
    assert.equal(quantile(after, new Reading(2, histogram(0, 8, 8, 8)), 'tidings_x', 0.5), 0.0015, 'after a restart');
    assert.equal(quantile(new Reading(0, ''), new Reading(1, ''), 'tidings_x', 0.5), null);
});

test('old readings go', () => {
    const readings = new Readings(3);
    assert.equal(readings.newest, null);
    assert.equal(readings.before(0), null);
    for (const at of [0, 1000, 2000, 3000])
        readings.add(new Reading(at, `a ${at}`));
    assert.equal(readings.newest.at, 3000);
    assert.equal(readings.before(1500).at, 1000);
    assert.equal(readings.before(1000).at, 2000);
    assert.equal(readings.before(9000).at, 1000, 'the oldest where none is old enough');
    assert.deepEqual(readings.series((a, b) => b.at - a.at), [1000, 1000]);
});
