// SPDX-License-Identifier: BSD-2-Clause
// The node's figures as they are now: /admin/stats for what is, /metrics for what happens in a second. Read again and
// again while the page can be seen.
import {el} from '../../web/js/dom.js';
import {counted, quantile, rate, Reading, Readings} from './figures.js';
import {clock, count, moment, perSecond, seconds} from './format.js';
import {reasonOf, t} from './i18n.js';
import {Sparkline} from './sparkline.js';
import {card, table, tag} from './table.js';

const PAUSE_MS = 2000;
const RATE_MS = 10000; // a rate is that of the last so many
const LATENCY_MS = 60000;
const KEPT = 120; // readings: four minutes
const RATES = {stored: 'tidings_messages_stored_total', pushed: 'tidings_events_pushed_total', requests: 'tidings_http_requests_total'};
const LATENCIES = {request: 'tidings_http_request_seconds', commit: 'tidings_commit_seconds', bus: 'tidings_bus_lag_seconds', expiry: 'tidings_expiry_lag_seconds'};
const GAUGES = {sessions: ['tidings_sessions', 'tidings_sessions_max'], connections: ['tidings_connections', 'tidings_connections_max']};
const HOOK_LAG = 'tidings_webhook_lag_seconds';
const WANTED = new Set([HOOK_LAG, ...Object.values(RATES), ...Object.values(GAUGES).flat(),
    ...Object.values(LATENCIES).flatMap((family) => [`${family}_bucket`, `${family}_count`])]);

function wants(name) {
    return WANTED.has(name);
}

// A figure with its curve.
class Tile {
    #name;
    #value = el('strong', {}, '–');
    #unit = el('small');
    #curve = new Sparkline(KEPT - 1);

    constructor(name) {
        this.#name = name;
        this.node = el('div.tile', {}, el('h2', {}, name), el('p', {}, this.#value, ' ', this.#unit), this.#curve.node);
    }

    show(value, unit, values, format) {
        this.#value.textContent = format(value);
        this.#unit.textContent = unit;
        this.#curve.show(values, t('rate.history', {name: this.#name, minutes: Math.round(KEPT * PAUSE_MS / 60000), max: format(Math.max(0, ...values))}));
    }
}

export class OverviewView {
    #api;
    #readings = new Readings(KEPT);
    #tiles = {};
    #state = el('p.live', {role: 'status'}, t('live.waiting'));
    #details = el('div.cards');
    #timer = null;
    #left = false;
    #answeredAt = null;
    #wake = () => !document.hidden && this.#timer !== null && this.#read();

    constructor(api) {
        this.#api = api;
        for (const name of Object.keys(RATES))
            this.#tiles[name] = new Tile(t(`rate.${name}`));
        for (const name of Object.keys(GAUGES))
            this.#tiles[name] = new Tile(t(`gauge.${name}`));
        this.node = el('div.view.overview', {}, el('div.heading', {}, el('h1', {}, t('nav.overview')), this.#state),
            el('div.tiles', {}, Object.values(this.#tiles).map(({node}) => node)), this.#details);
        document.addEventListener('visibilitychange', this.#wake);
        this.#read();
    }

    leave() {
        this.#left = true;
        clearTimeout(this.#timer);
        document.removeEventListener('visibilitychange', this.#wake);
    }

    async #read() {
        clearTimeout(this.#timer);
        this.#timer = null; // one reading at a time
        try {
            const [stats, text] = await Promise.all([this.#api.stats(), this.#api.metrics()]);
            if (this.#left)
                return;
            this.#take(stats, text);
        } catch (refused) {
            if (this.#left)
                return;
            this.#lose(refused);
        }
        this.#timer = setTimeout(() => !document.hidden && this.#read(), PAUSE_MS);
    }

    #take(stats, text) {
        this.#answeredAt = Date.now();
        this.#readings.add(new Reading(performance.now(), text, wants));
        this.node.classList.remove('stale');
        this.#say(t('live.updating'));
        this.#showTiles();
        this.#showDetails(stats);
    }

    #lose(refused) {
        this.node.classList.add('stale');
        this.#say(refused.code !== 'unreachable' || this.#answeredAt === null ? reasonOf(refused) : t('live.lost', {time: clock(this.#answeredAt)}));
    }

    // A status that is said again would be read out each time.
    #say(text) {
        if (this.#state.textContent !== text)
            this.#state.textContent = text;
    }

    #showTiles() {
        const {newest} = this.#readings;
        const before = this.#readings.before(RATE_MS);
        for (const [name, family] of Object.entries(RATES)) {
            this.#tiles[name].show(before && rate(before, newest, family), t('rate.perSecond'),
                this.#readings.series((a, b) => rate(a, b, family) ?? 0), perSecond);
        }
        for (const [name, [family, most]] of Object.entries(GAUGES)) {
            this.#tiles[name].show(newest.sum(family), t('gauge.of', {max: count(newest.sum(most))}),
                this.#readings.series((_, b) => b.sum(family) ?? 0), count);
        }
    }

    #showDetails(stats) {
        const scrolled = [...this.#details.querySelectorAll('.table-box')].map(({scrollLeft}) => scrollLeft);
        const focused = [...this.#details.querySelectorAll('.table-box')].indexOf(document.activeElement);
        this.#details.replaceChildren(this.#latency(), el('div.stack', {}, this.#health(stats), nodes(stats)), processes(stats));
        const boxes = [...this.#details.querySelectorAll('.table-box')];
        boxes.forEach((box, i) => {
            box.scrollLeft = scrolled[i] ?? 0;
        });
        boxes[focused]?.focus({preventScroll: true});
    }

    #latency() {
        const {newest} = this.#readings;
        const before = this.#readings.before(LATENCY_MS);
        const rows = Object.entries(LATENCIES).map(([name, family]) => [t(`latency.${name}`),
            ...[0.5, 0.95, 0.99].map((q) => seconds(before && quantile(before, newest, family, q))), count(before && counted(before, newest, family))]);
        return card(t('latency.heading'), el('p.hint', {}, t('latency.hint')),
            table(t('latency.heading'), [t('latency.what'), 'p50', 'p95', 'p99', t('latency.count')], rows, 'table.numbers'));
    }

    #health(stats) {
        const leads = stats.relay_role === 'leads';
        return card(t('health.heading'), el('dl.facts', {},
            fact(t('health.database'), stats.database ? tag(t('state.up'), 'good') : stats.database_read_only ? tag(t('state.readOnly'), 'bad') : tag(t('state.down'), 'bad')),
            fact(t('health.redis'), stats.redis ? tag(t('state.up'), 'good') : tag(t('state.down'), 'bad')),
            fact(t('health.relay'), [state(stats.relay), ' ', t(leads ? 'state.leads' : 'state.waits')]),
            fact(t('health.relayLag'), leads ? `${seconds(stats.relay_lag_ms / 1000)}, ${t('health.relayRows', {count: stats.relay_rows})}` : t('health.elsewhere')),
            fact(t('health.hooks'), seconds(this.#readings.newest.sum(HOOK_LAG)))));
    }
}

function fact(name, value) {
    return [el('dt', {}, name), el('dd', {}, value)];
}

function state(name) {
    const known = ['ready', 'starting', 'draining', 'missing'].includes(name);
    return tag(known ? t(`state.${name}`) : name, {ready: 'good', missing: 'bad'}[name] ?? 'warn');
}

function nodes(stats) {
    const rows = stats.nodes.map(({node_id: id, workers, silent}) => [
        [id ?? t('nodes.unnamed'), id === stats.node_id && [' ', el('small', {}, t('nodes.this'))]], count(workers),
        workers === 0 ? tag(t('state.silent'), 'bad') : silent > 0 ? tag(t('state.partly', {count: silent}), 'warn') : tag(t('state.ready'), 'good')]);
    return card(t('nodes.heading'), table(t('nodes.heading'), [t('nodes.node'), t('nodes.workers'), t('nodes.state')], rows),
        stats.more_nodes && el('p.hint', {}, t('nodes.more')));
}

function processes({processes: {workers, writers, relays, media}}) {
    const row = (name, process, load) => [name, state(process.state), load, count(process.restarts), String(process.pid), moment(process.started_at)];
    return card(t('process.heading'), table(t('process.heading'),
        [t('process.kind'), t('nodes.state'), t('process.load'), t('process.restarts'), t('process.pid'), t('process.since')], [
            ...workers.map((p) => row(t('process.worker', {slot: p.slot}), p, t('process.connections', {count: p.connections}))),
            ...writers.map((p) => row(t('process.writer', {slot: p.slot}), p, t('process.queue', {count: p.queue}))),
            ...relays.map((p) => row(t('process.relay'), p, t('process.rows', {count: p.rows}))),
            ...media.map((p) => row(t('process.media'), p, t('process.jobs', {count: p.jobs})))]));
}
