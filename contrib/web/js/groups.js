// SPDX-License-Identifier: BSD-2-Clause
// What is known of groups besides their conversations: members, how the caller is one, who waits to be let in; and what
// can be done to them. It is fetched when a group is opened, and again when something in it has changed.
import {now} from './clock.js';
import {isAdmin, isMuted} from './group_rules.js';

const PAGE = 100;
const OWN_PAGES_MAX = 3; // of members like the caller, among whom the caller is looked for
const RELOAD_MS = 400;
const RELOAD_MS_A_MEMBER = 5; // up to so much longer: all who have a large group open hear of a change at once
const LOOK_EVERY_MS = 60000; // no event tells of a request to join, or of the end of a mute
const FOUND_MAX = 1000; // members that are remembered of a group

class Room {
    members = new Map(); // user id -> Member, those that were seen
    complete = false; // whether these are all
    own = null; // the caller as a Member; null where it is not known
    ownInDoubt = true; // it may be another by now
    waiting = 0; // people who want to be let in, up to a page
    receipts = true; // whether the group is small enough for them
    loading = null;
    again = false;
}

export class Groups {
    #rest;
    #people;
    #me;
    #onChange;
    #rooms = new Map(); // conversation id -> Room
    #open = null; // the conversation that is shown
    #timer = null;
    #lookTimer = null;

    constructor(rest, people, me, onChange) {
        this.#rest = rest;
        this.#people = people;
        this.#me = me;
        this.#onChange = onChange;
    }

    of(c) {
        let room = this.#rooms.get(c.id);
        if (!room)
            this.#rooms.set(c.id, room = new Room());
        return room;
    }

    // ---- what is fetched ----

    // The group is shown from now on, until another is or null.
    show(c) {
        this.#open = c;
        clearInterval(this.#lookTimer);
        if (c === null)
            return;
        this.of(c).ownInDoubt = true;
        this.load(c);
        this.#lookTimer = setInterval(() => this.#look(c), LOOK_EVERY_MS);
    }

    // What comes without an event, while somebody can see it. To look for the caller costs the server much in a large
    // group, so only those who are muted do it; others learn of a mute when a message is refused. What fails is looked at
    // again the next time.
    async #look(c) {
        if (document.hidden || c.group === null)
            return;
        const room = this.of(c);
        if (isAdmin(c.group))
            await this.#countRequests(c);
        else if (room.own !== null && isMuted(room.own, now())) {
            room.own = await this.#findOwn(c, room).catch(() => null) ?? room.own;
            this.#onChange();
        }
    }

    // Something in it has changed: of the group that is shown it is fetched anew, of others when they are shown.
    changed(c) {
        if (c !== this.#open)
            return;
        const spread = RELOAD_MS_A_MEMBER * (c.group?.member_count ?? 0);
        this.#timer ??= setTimeout(() => {
            this.#timer = null;
            if (this.#open !== null)
                this.load(this.#open);
        }, RELOAD_MS + Math.random() * spread);
    }

    // A message to it was refused, perhaps because the caller is muted.
    refused(c) {
        this.of(c).ownInDoubt = true;
        if (c === this.#open)
            this.load(c);
    }

    forget(c) {
        this.#rooms.delete(c.id);
        if (c === this.#open)
            this.show(null);
    }

    // Never rejects: what fails is fetched when the group is shown again.
    load(c) {
        const room = this.of(c);
        room.again = true;
        room.loading ??= this.#loadAll(c, room).catch(() => {}).finally(() => {
            room.loading = null;
            this.#onChange();
        });
        return room.loading;
    }

    async #loadAll(c, room) {
        while (room.again) {
            room.again = false;
            const page = await this.#rest.members(c.id, {limit: PAGE});
            room.members = new Map();
            room.complete = page.next_cursor === null;
            this.#met(room, page.items);
            room.own = room.members.get(this.#me) ?? (room.ownInDoubt ? await this.#findOwn(c, room) : room.own);
            room.ownInDoubt = false;
            await this.#countRequests(c);
            await this.#loadReaders(c, room);
        }
    }

    async #findOwn(c, room) {
        let cursor = null;
        for (let i = 0; i < OWN_PAGES_MAX; i++) {
            const page = await this.#rest.members(c.id, {query: this.#me, limit: PAGE, cursor});
            this.#met(room, page.items);
            const own = page.items.find(({user}) => user.user_id === this.#me);
            cursor = page.next_cursor;
            if (own !== undefined || cursor === null)
                return own ?? null;
        }
        return null;
    }

    async #countRequests(c) {
        const room = this.of(c);
        const {group} = c;
        const before = room.waiting;
        if (group === null || group.role === 'member' || group.dissolved_at !== null)
            room.waiting = 0;
        else if (group.settings.join === 'approval' || room.waiting > 0 || room.loading !== null)
            room.waiting = (await this.#rest.joinRequests(c.id, {limit: PAGE}).catch(() => ({items: {length: before}}))).items.length;
        if (room.waiting !== before)
            this.#onChange();
    }

    // Who has read the caller's newest message; what comes after is heard.
    async #loadReaders(c, room) {
        const message = c.history.lastOf(this.#me);
        if (message === null || message.is_recalled || !room.receipts)
            return;
        const page = await this.receipts(c, message);
        page?.items.forEach(({user_id}) => c.noteReader(user_id, message.seq));
    }

    #met(room, members) {
        for (const member of members) {
            this.#people.met(member.user);
            if (room.members.size < FOUND_MAX || room.members.has(member.user.user_id))
                room.members.set(member.user.user_id, member);
        }
    }

    // A page of the members, or of those that the query finds. Rejects with a Problem.
    async members(c, query, cursor = null) {
        const page = await this.#rest.members(c.id, {limit: PAGE, cursor, query: query || undefined});
        this.#met(this.of(c), page.items);
        return page;
    }

    // Receipts of a message, {read_count, items, next_cursor}; null where the group is too large for them. Rejects with a
    // Problem.
    async receipts(c, message, cursor = null) {
        try {
            return await this.#rest.receipts(message.id, {limit: PAGE, cursor});
        } catch (problem) {
            if (problem.code !== 'conflict')
                throw problem;
            this.of(c).receipts = false;
            return null;
        }
    }

    requests(c, cursor = null) {
        return this.#rest.joinRequests(c.id, {limit: PAGE, cursor});
    }

    bans(c, cursor = null) {
        return this.#rest.bans(c.id, {limit: PAGE, cursor});
    }

    invites(c) {
        return this.#rest.invites(c.id);
    }

    // ---- what is done; each rejects with a Problem ----

    // name: a method of the REST client that takes the group's id first.
    async act(c, name, ...args) {
        try {
            return await this.#rest[name](c.id, ...args);
        } finally {
            this.load(c);
        }
    }
}
