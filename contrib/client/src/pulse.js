// SPDX-License-Identifier: BSD-2-Clause
// Whether the other side of a connection is still there. A network that is gone says nothing: a browser keeps a dead
// WebSocket open for minutes. So the connection is asked with a ping when it was quiet for a while, or when something
// that has to be answered is not. Whatever is heard then, and whatever of ours still leaves, shows that it lives. On a
// slow link it gets more time: twice what it has needed before.

const LATE_MS = 1000; // a timer that comes later than this tells of a process that was asleep, not of the network

export class Pulse {
    #everyMs;
    #patienceMs;
    #maxMs;
    #ping;
    #unsent;
    #dead;
    #timer = null;
    #due = 0;
    #heardAt;
    #asked = null; // {at, pinged, patienceMs, unsent, late}: what is not answered yet; null: nothing
    #slowestMs;

    // everyMs(): how long it may be quiet. patienceMs: how long an answer may take, maxMs: at most, on any link.
    // ping() sends one; unsent(): bytes that wait to leave; dead() when nothing answers. openingMs: how long the
    // connection took to open, a first idea of its speed.
    constructor({everyMs, patienceMs, maxMs, openingMs = 0, ping, unsent = () => 0, dead}) {
        this.#everyMs = everyMs;
        this.#patienceMs = patienceMs;
        this.#maxMs = maxMs;
        this.#slowestMs = openingMs;
        this.#ping = ping;
        this.#unsent = unsent;
        this.#dead = dead;
        this.#heardAt = Date.now();
        this.#arm(everyMs());
    }

    // Something came in.
    heard() {
        this.#heardAt = Date.now();
        if (this.#asked === null)
            return;
        this.#slowestMs = Math.max(this.#slowestMs, this.#heardAt - this.#asked.at);
        this.#asked = null;
        this.#arm(this.#everyMs());
    }

    // Something went out that has to be answered. If it is not, a ping tells whether the link or the server is slow.
    asked() {
        if (this.#asked === null)
            this.#ask(false, this.#patience());
    }

    // There is reason for doubt: it is asked now, and has so long.
    check(patienceMs = this.#patience()) {
        this.#ask(true, Math.min(patienceMs, this.#patience()));
    }

    stop() {
        clearTimeout(this.#timer);
        this.#timer = null;
    }

    #patience() {
        return Math.min(this.#maxMs, Math.max(this.#patienceMs, 2 * this.#slowestMs));
    }

    #ask(pinged, patienceMs) {
        this.#asked = {at: this.#asked?.at ?? Date.now(), pinged, patienceMs, unsent: this.#unsent(), late: false};
        this.#arm(patienceMs);
        if (pinged)
            this.#ping();
    }

    #arm(delayMs) {
        clearTimeout(this.#timer);
        this.#due = Date.now() + delayMs;
        this.#timer = setTimeout(() => this.#tick(), delayMs);
    }

    #tick() {
        const now = Date.now();
        const asked = this.#asked;
        if (asked === null) {
            const quietMs = now - this.#heardAt, everyMs = this.#everyMs();
            if (quietMs < everyMs && quietMs >= 0)
                this.#arm(everyMs - quietMs);
            else
                this.#ask(true, this.#patience());
            return;
        }
        const unsent = this.#unsent();
        const late = !asked.late && now - this.#due > LATE_MS;
        if (late || unsent < asked.unsent) {
            Object.assign(asked, {unsent, late: asked.late || late});
            this.#arm(asked.patienceMs);
        } else if (!asked.pinged) {
            this.#ask(true, this.#patience());
        } else {
            this.stop();
            this.#dead();
        }
    }
}
