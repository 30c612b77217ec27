// SPDX-License-Identifier: BSD-2-Clause
// Reads Prometheus' text, and makes rates and quantiles of two readings. Knows nothing of a page.

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)$/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;
const ESCAPES = {n: '\n', '"': '"', '\\': '\\'};

function labelsOf(text = '') {
    return Object.fromEntries(Array.from(text.matchAll(LABEL), ([, name, value]) =>
        [name, value.replace(/\\(.)/g, (_, c) => ESCAPES[c] ?? c)]));
}

function numberOf(text) {
    return {'+Inf': Infinity, '-Inf': -Infinity}[text] ?? Number(text);
}

// One reading at a time in milliseconds. wants(name): which figures are kept of it.
export class Reading {
    #samples = new Map(); // name -> [{labels, value}]

    constructor(at, text, wants = () => true) {
        this.at = at;
        for (const line of text.split('\n')) {
            const [, name, labels, value] = LINE.exec(line) ?? [];
            if (name === undefined || !wants(name))
                continue;
            if (!this.#samples.has(name))
                this.#samples.set(name, []);
            this.#samples.get(name).push({labels: labelsOf(labels), value: numberOf(value)});
        }
    }

    // [{labels, value}] of that name.
    all(name) {
        return this.#samples.get(name) ?? [];
    }

    names() {
        return [...this.#samples.keys()];
    }

    // The sum over all labels; null where there is none.
    sum(name) {
        const samples = this.#samples.get(name);
        return samples ? samples.reduce((sum, {value}) => sum + value, 0) : null;
    }
}

// How much a counter grew. One that is less than before began anew, for the node was restarted.
function grown(before, after) {
    return after >= before ? after - before : after;
}

// Per second, between two readings; null where it cannot be known.
export function rate(before, after, name) {
    const [a, b] = [before.sum(name), after.sum(name)];
    const seconds = (after.at - before.at) / 1000;
    return a === null || b === null || seconds <= 0 ? null : grown(a, b) / seconds;
}

// How many values a histogram took between two readings.
export function counted(before, after, family) {
    return grown(before.sum(`${family}_count`) ?? 0, after.sum(`${family}_count`) ?? 0);
}

// The q-quantile of what a histogram took between two readings, as histogram_quantile() of Prometheus: evenly within a
// bucket, and what is in the last one counts as its lower bound. null where it took nothing.
export function quantile(before, after, family, q) {
    const old = new Map(before.all(`${family}_bucket`).map(({labels, value}) => [labels.le, value]));
    const buckets = after.all(`${family}_bucket`).map(({labels, value}) => ({bound: numberOf(labels.le), count: grown(old.get(labels.le) ?? 0, value)}))
        .sort((a, b) => a.bound - b.bound);
    const total = buckets.at(-1)?.count ?? 0;
    if (total <= 0)
        return null;
    const at = buckets.findIndex(({count}) => count >= q * total);
    const {bound, count} = buckets[at];
    const {bound: lower, count: below} = buckets[at - 1] ?? {bound: 0, count: 0};
    if (bound === Infinity || count === below)
        return lower;
    return lower + (bound - lower) * (q * total - below) / (count - below);
}

// The newest readings, up to `most` of them.
export class Readings {
    #most;
    #list = [];

    constructor(most) {
        this.#most = most;
    }

    add(reading) {
        this.#list.push(reading);
        if (this.#list.length > this.#most)
            this.#list.shift();
    }

    get newest() {
        return this.#list.at(-1) ?? null;
    }

    // The youngest that is at least so old as the newest allows, or the oldest; null where there is no second one.
    before(milliseconds) {
        const older = this.#list.slice(0, -1);
        return older.findLast(({at}) => this.newest.at - at >= milliseconds) ?? older[0] ?? null;
    }

    // of(before, after) of each neighbouring two.
    series(of) {
        return this.#list.slice(1).map((after, i) => of(this.#list[i], after));
    }
}
