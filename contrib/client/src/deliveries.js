// SPDX-License-Identifier: BSD-2-Clause
// Tells the server how far messages have come here. A report covers all messages before, so reports are gathered: a
// conversation has one a second at most, and after an absence a few go at a time. The first one waits for a moment: a user
// who looks at the conversation reads it at once, and then no report is needed. The server does not answer. A report from
// shortly before the end of a connection may be lost, and is sent again on the next one.

const PATIENCE_MS = 250;
const REMEMBERED = 1000; // conversations; a report that is forgotten is at worst made twice
// 20 a second: of the 50 requests a second that a server allows a user by default most are left for what the user does,
// also after thousands of conversations, whose reports take minutes.
const AT_ONCE = 2, STEP_MS = 100;
const IN_DOUBT_MS = 5000;

export class Deliveries {
    #tell;
    #everyMs;
    #told = new Map(); // conversation id -> {seq, at}: reported up to there, or read; the one touched last at the end
    #due = new Map(); // conversation id -> {seq, at}: to report, and not before
    #up = false;
    #timer = null;
    #timerAt = Infinity;

    // tell(conversationId, seq) writes the frame.
    constructor({tell, everyMs = 1000}) {
        this.#tell = tell;
        this.#everyMs = everyMs;
    }

    // There is a connection.
    start() {
        this.#up = true;
        this.#wake(Date.now());
    }

    stop() {
        this.#up = false;
        clearTimeout(this.#timer);
        this.#timerAt = Infinity;
        for (const [id, told] of this.#told) {
            if (Date.now() - told.at >= IN_DOUBT_MS)
                continue;
            this.#due.set(id, {seq: Math.max(told.seq, this.#due.get(id)?.seq ?? 0), at: 0});
            this.#told.delete(id);
        }
    }

    // All of the conversation up to that seq is here.
    received(conversationId, seq) {
        const told = this.#told.get(conversationId), due = this.#due.get(conversationId);
        if (seq <= (told?.seq ?? 0))
            return;
        if (due !== undefined) {
            due.seq = Math.max(due.seq, seq);
            return;
        }
        const at = Math.max(Date.now() + PATIENCE_MS, (told?.at ?? 0) + this.#everyMs);
        this.#due.set(conversationId, {seq, at});
        this.#wake(at);
    }

    // It was read up to that seq, which says as much.
    read(conversationId, seq) {
        const told = this.#told.get(conversationId) ?? {seq: 0, at: 0};
        this.#note(conversationId, Math.max(seq, told.seq), told.at);
        if (seq >= (this.#due.get(conversationId)?.seq ?? Infinity))
            this.#due.delete(conversationId);
    }

    #note(conversationId, seq, at) {
        this.#told.delete(conversationId);
        this.#told.set(conversationId, {seq, at});
        if (this.#told.size > REMEMBERED)
            this.#told.delete(this.#told.keys().next().value);
    }

    #wake(at) {
        if (!this.#up || at >= this.#timerAt)
            return;
        clearTimeout(this.#timer);
        this.#timerAt = at;
        this.#timer = setTimeout(() => this.#run(), Math.max(0, at - Date.now()));
    }

    #run() {
        const now = Date.now();
        let left = AT_ONCE, next = Infinity;
        this.#timerAt = Infinity;
        for (const [id, {seq, at}] of this.#due) {
            if (at > now && at <= now + this.#everyMs) { // else the clock was set back
                next = Math.min(next, at);
                continue;
            }
            if (left-- === 0) {
                next = now + STEP_MS;
                break;
            }
            this.#due.delete(id);
            this.#note(id, seq, now);
            this.#tell(id, seq);
        }
        if (next < Infinity)
            this.#wake(next);
    }
}
