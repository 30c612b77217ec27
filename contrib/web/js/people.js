// SPDX-License-Identifier: BSD-2-Clause
// Friends, requests in both directions, who is blocked, and who is online; and what others are called, whose names are
// asked for when they are first needed.
import {nameOf} from './format.js';

const WATCHED_MAX = 500; // of the protocol
const LOOKUPS_MAX = 4; // at a time
const LOOKUP_AGAIN_MS = 3000; // after one that failed
const byName = new Intl.Collator();

export class People {
    #client;
    #onChange;
    #loading = null;
    #again = false;
    #connected = false;
    #presence = new Map(); // user id -> {online, last_seen}, where it is known
    #profiles = new Map();
    #unknown = new Set(); // user ids whose profiles are wanted, in the order of asking
    #lookups = 0; // under way
    #blocked = new Map(); // user id -> profile
    friends = new Map(); // user id -> Friend, in the order of their names
    incoming = [];
    outgoing = [];
    loaded = false;

    constructor(client, onChange) {
        this.#client = client;
        this.#onChange = onChange;
        client.on('presence', ({user_id, online, last_seen}) => this.saw(user_id, online, last_seen));
    }

    // Fetches everything anew; while it is doing so, once more afterwards.
    load() {
        this.#again = true;
        this.#loading ??= this.#loadAll().finally(() => {
            this.#loading = null;
        });
        return this.#loading;
    }

    async #loadAll() {
        while (this.#again) {
            this.#again = false;
            const {rest} = this.#client;
            const [friends, incoming, outgoing, blocked] = await Promise.all([
                all(rest.each((page) => rest.friends(page))),
                all(rest.each((page) => rest.friendRequests(page))),
                all(rest.each((page) => rest.friendRequests({...page, direction: 'out'}))),
                all(rest.each((page) => rest.blocked(page))),
            ]);
            friends.sort((a, b) => byName.compare(nameOf(a.user), nameOf(b.user)));
            this.friends = new Map(friends.map((f) => [f.user.user_id, f]));
            this.#blocked = new Map(blocked.map((profile) => [profile.user_id, profile]));
            blocked.forEach((profile) => this.met(profile));
            Object.assign(this, {incoming, outgoing, loaded: true});
            [...friends, ...incoming, ...outgoing].forEach(({user}) => this.met(user));
            if (this.#connected)
                friends.forEach((f) => this.#presence.set(f.user.user_id, {online: f.online, last_seen: f.last_seen}));
        }
        this.#client.watch([...this.friends.keys()].slice(0, WATCHED_MAX));
        this.#onChange();
    }

    // Friends as they were when the page was last here.
    restore(friends) {
        this.friends = new Map(friends.map((f) => [f.user.user_id, f]));
        friends.forEach(({user}) => this.met(user));
    }

    met(profile) {
        if (profile.nickname !== null || profile.avatar_url !== null || !this.#profiles.has(profile.user_id))
            this.#profiles.set(profile.user_id, profile);
    }

    // Their names will be needed.
    want(userIds) {
        for (const id of userIds) {
            if (!this.#profiles.has(id))
                this.#unknown.add(id);
        }
        this.#lookUp();
    }

    #lookUp() {
        for (const id of this.#unknown) {
            if (this.#lookups >= LOOKUPS_MAX)
                return;
            this.#unknown.delete(id);
            if (this.#profiles.has(id))
                continue;
            this.#lookups++;
            this.#lookUpOne(id).finally(() => {
                this.#lookups--;
                this.#lookUp();
            });
        }
    }

    async #lookUpOne(id) {
        try {
            this.met(await this.#client.rest.user(id));
        } catch (problem) {
            if (problem.transient)
                await new Promise((resolve) => setTimeout(() => resolve(this.#unknown.add(id)), LOOKUP_AGAIN_MS));
            else
                this.met({user_id: id, nickname: null, avatar_url: null});
        }
        this.#onChange();
    }

    saw(userId, online, lastSeen = null) {
        this.#presence.set(userId, {online, last_seen: lastSeen}); // null also counts: of one who blocks this user
        this.#onChange();
    }

    // Without a connection nobody knows who is online. What is known again, the server says after the next one.
    connected(yes) {
        this.#connected = yes;
        if (yes || this.#presence.size === 0)
            return;
        this.#presence.clear();
        this.#onChange();
    }

    profile(userId) {
        return this.#profiles.get(userId) ?? {user_id: userId, nickname: null, avatar_url: null};
    }

    name(userId) {
        return nameOf(this.profile(userId));
    }

    isFriend(userId) {
        return this.friends.has(userId);
    }

    // Of whom the picture may be loaded: oneself, and friends whom one has not blocked.
    isTrusted(userId) {
        return userId === this.#client.userId || (this.isFriend(userId) && !this.hasBlocked(userId));
    }

    hasBlocked(userId) {
        return this.#blocked.has(userId) || (this.friends.get(userId)?.blocked ?? false);
    }

    // Whether they have asked this user to be friends, and wait for an answer.
    hasAsked(userId) {
        return this.incoming.some(({user}) => user.user_id === userId);
    }

    // Whether this user has asked them.
    isAsked(userId) {
        return this.outgoing.some(({user}) => user.user_id === userId);
    }

    // Profiles of those whom this user has blocked.
    sortedBlocked() {
        return [...this.#blocked.values()].sort((a, b) => nameOf(a).localeCompare(nameOf(b)));
    }

    // Null: of a stranger, or while that is not known.
    isOnline(userId) {
        return this.isFriend(userId) ? this.#presence.get(userId)?.online ?? null : null;
    }

    lastSeen(userId) {
        return this.isFriend(userId) ? this.#presence.get(userId)?.last_seen ?? null : null;
    }

    // Those who are online first.
    sortedFriends() {
        const friends = [...this.friends.values()];
        const isOnline = ({user}) => this.isOnline(user.user_id) === true;
        return [...friends.filter(isOnline), ...friends.filter((f) => !isOnline(f))];
    }
}

async function all(iterable) {
    const items = [];
    for await (const item of iterable)
        items.push(item);
    return items;
}
