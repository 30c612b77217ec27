#!/usr/bin/env node
// SPDX-License-Identifier: BSD-2-Clause
// Makes lines for POST /admin/import of Mattermost's bulk export. What is lost is counted, and told at the end.
//
//    node convert.js [--files URL] [--max-content BYTES] [--no-friends] EXPORT.jsonl > lines
//
// Posts are exported in no order, so they are put on disk first, in files by conversation, and each file is sorted in
// memory: that takes the memory of a sixty-fourth of the posts, or of the largest conversation.
import {createHash} from 'node:crypto';
import {closeSync, createReadStream, mkdtempSync, openSync, readFileSync, rmSync, writeSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {parseArgs} from 'node:util';

const SPOOLS = 64;
const SPOOL_BYTES = 1 << 16;
const MEMBERS_MAX = 500;
const NAME_MAX = 64;
const ABOUT_MAX = 1024;

const {values: options, positionals} = parseArgs({
    allowPositionals: true,
    options: {files: {type: 'string'}, 'max-content': {type: 'string', default: '16384'}, 'no-friends': {type: 'boolean'}},
});
if (positionals.length !== 1) {
    console.error('usage: convert.js [--files URL] [--max-content BYTES] [--no-friends] EXPORT.jsonl > lines');
    process.exit(2);
}
const contentMax = Number(options['max-content']);

const lost = {};
function lose(what, n = 1) {
    if (n > 0)
        lost[what] = (lost[what] ?? 0) + n;
}

const hash = (...texts) => createHash('sha256').update(texts.join('\n')).digest('base64url').slice(0, 32);
const time = (ms) => new Date(ms).toISOString();
/** Up to so many characters; null where nothing is left. */
const cut = (text, max) => [...(text ?? '').replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').trim()].slice(0, max).join('') || null;

function print(line) {
    out.push(JSON.stringify(line) + '\n');
    if (out.length >= 1000)
        flush();
}
const out = [];
function flush() {
    const bytes = Buffer.from(out.splice(0).join(''));
    for (let at = 0; at < bytes.length;) {
        try {
            at += writeSync(1, bytes, at);
        } catch (e) {
            if (e.code !== 'EAGAIN')
                throw e;
        }
    }
}

// ---- the first way through: people and channels are kept, posts are spooled ----

const users = new Map(); // username -> the line
const channels = new Map(); // 'team/name' -> {channel, members: Map of username -> role}
const direct = new Map(); // members joined -> members, of which there are three or more
const pairs = new Map(); // 'a b' -> the time of their first post
const dir = mkdtempSync(join(tmpdir(), 'mattermost-'));
const spools = Array.from({length: SPOOLS}, (_, i) => ({path: join(dir, String(i)), fd: openSync(join(dir, String(i)), 'w'), lines: [], bytes: 0}));

function spoolFlush(s) {
    writeSync(s.fd, s.lines.join(''));
    s.lines = [];
    s.bytes = 0;
}

let order = 0;
function spool(place, post, root) {
    const s = spools[createHash('sha256').update(place.key).digest().readUInt32BE() % SPOOLS];
    const line = JSON.stringify({key: place.key, at: post.create_at, order: order++, root, place, post}) + '\n';
    s.lines.push(line);
    s.bytes += line.length;
    if (s.bytes > SPOOL_BYTES)
        spoolFlush(s);
}

/** A message's own id: Mattermost exports none, so one is made of what never changes. */
const idOf = (key, post) => `mm:${hash(key, post.user, post.create_at, post.message ?? '')}`;

function addPosts(place, post) {
    lose('reactions', post.reactions?.length ?? 0);
    const root = {user: post.user, id: idOf(place.key, post)};
    spool(place, plain(post), null);
    for (const reply of post.replies ?? []) {
        lose('reactions', reply.reactions?.length ?? 0);
        spool(place, plain(reply), root);
    }
}

function plain({user, type, message, create_at, attachments}) {
    return {user, type: type ?? '', message: message ?? '', create_at, files: (attachments ?? []).map((a) => a.path)};
}

/** Where a post between some users goes; null: it is one's notes to oneself. */
function directPlace(members) {
    const all = [...new Set(members)].sort();
    const key = `dm/${all.join('/')}`;
    if (all.length < 2) {
        lose('posts to oneself');
        return null;
    }
    if (all.length > 2) {
        direct.set(key, all);
        return {key, group: `mm:${hash(key)}`};
    }
    return {key, members: all};
}

function addUser(u) {
    const name = cut(u.nickname, NAME_MAX) ?? cut([u.first_name, u.last_name].filter(Boolean).join(' '), NAME_MAX);
    users.set(u.username, {type: 'user', user_id: u.username, nickname: name});
    if (u.delete_at > 0)
        lose('users that are deactivated there: disable them here');
    for (const team of u.teams ?? [])
        for (const c of team.channels ?? [])
            channelOf(team.name, c.name).members.set(u.username, /\bchannel_admin\b/.test(c.roles ?? '') ? 'admin' : 'member');
}

function channelOf(team, name) {
    const key = `${team}/${name}`;
    if (!channels.has(key))
        channels.set(key, {key, channel: {team, name}, members: new Map()});
    return channels.get(key);
}

const take = {
    version() {},
    user: addUser,
    channel(c) {
        channelOf(c.team, c.name).channel = c;
    },
    post(p) {
        const key = `${p.team}/${p.channel}`;
        channelOf(p.team, p.channel);
        addPosts({key, group: `mm:${hash(key)}`}, p);
    },
    direct_channel(d) {
        const members = d.members ?? (d.participants ?? []).map((p) => p.username);
        if (members.length > 2)
            directPlace(members);
    },
    direct_post(p) {
        const place = directPlace(p.channel_members ?? []);
        if (!place)
            return;
        addPosts(place, p);
        const pair = place.members?.join(' ');
        if (pair && !(pairs.get(pair) <= p.create_at))
            pairs.set(pair, p.create_at);
    },
    team() {},
};

async function readExport(path) {
    let n = 0;
    for await (const line of createInterface({input: createReadStream(path), crlfDelay: Infinity})) {
        n++;
        if (line.trim() === '')
            continue;
        let entry;
        try {
            entry = JSON.parse(line);
        } catch {
            throw new Error(`${path}, line ${n}: is not JSON`);
        }
        if (take[entry.type])
            take[entry.type](entry[entry.type]);
        else
            lose(`lines of type ${entry.type}`);
    }
    spools.forEach(spoolFlush);
    spools.forEach((s) => closeSync(s.fd));
}

// ---- what is written ----

function putGroup(key, name, about, members, createdAt) {
    const all = [...members].sort(([a], [b]) => (a < b ? -1 : 1));
    const owner = (all.find(([, role]) => role === 'admin') ?? all[0])?.[0];
    if (owner === undefined) {
        lose('channels without members, with their posts');
        return false;
    }
    const others = all.filter(([user]) => user !== owner);
    for (let at = 0; at === 0 || at < others.length; at += MEMBERS_MAX)
        print({
            type: 'group', client_group_id: `mm:${hash(key)}`, owner_id: owner, name, about, created_at: createdAt,
            members: others.slice(at, at + MEMBERS_MAX).map(([user_id, role]) => ({user_id, role})),
        });
    return true;
}

function putPeople() {
    for (const u of users.values())
        print(u);
    if (options['no-friends'])
        return;
    for (const [pair, at] of pairs) {
        const [user_id, friend_id] = pair.split(' ');
        print({type: 'friendship', user_id, friend_id, created_at: time(at)});
    }
}

const groups = new Set();
function putGroups(firstPost) {
    for (const {key, channel: c, members} of channels.values()) {
        const name = cut(c.display_name, NAME_MAX) ?? cut(c.name, NAME_MAX);
        const at = firstPost.get(key);
        if (putGroup(key, name, cut(c.purpose || c.header, ABOUT_MAX), members, at && time(at)))
            groups.add(key);
    }
    for (const [key, all] of direct) {
        const at = firstPost.get(key);
        if (putGroup(key, cut(all.join(', '), NAME_MAX), null, all.map((user) => [user, 'member']), at && time(at)))
            groups.add(key);
    }
}

/** Parts of so many bytes of UTF-8, none of which begins within a character. */
function split(text) {
    const bytes = Buffer.from(text);
    const parts = [];
    for (let at = 0; at < bytes.length;) {
        let end = Math.min(at + contentMax, bytes.length);
        while (end < bytes.length && (bytes[end] & 0xc0) === 0x80)
            end--;
        parts.push(bytes.toString('utf8', at, end));
        at = end;
    }
    return parts;
}

/** What one post becomes: its text in parts, then its files. */
function contents(post) {
    const parts = split(post.message.replaceAll('\0', '')).filter((part) => part.trim() !== '');
    const texts = parts.map((content) => ({message_type: 'text', content}));
    if (!options.files) {
        lose('attachments', post.files.length);
        return texts;
    }
    return texts.concat(post.files.map((path) => ({
        message_type: 'file', media_url: `${options.files.replace(/\/$/, '')}/${path.split('/').map(encodeURIComponent).join('/')}`,
        extra: {file_name: path.split('/').at(-1)},
    })));
}

function putPost({key, place, post, root}, known) {
    if (post.type.startsWith('system_'))
        return lose('posts of the system');
    if (place.group && !groups.has(key))
        return lose('posts to channels without members');
    if (place.members && !place.members.includes(post.user))
        return lose('posts between two by a third');
    const id = idOf(key, post), all = contents(post);
    if (all.length === 0)
        return lose('posts without a text');
    const to = place.group ? {client_group_id: place.group} : {to_user_id: place.members.find((user) => user !== post.user)};
    all.forEach((content, i) => {
        const message = {type: 'message', from_user_id: post.user, ...to, client_msg_id: i === 0 ? id : `${id}-${i}`, ...content, created_at: time(post.create_at)};
        if (i === 0 && root && known.has(root.id))
            message.reply_to = {from_user_id: root.user, client_msg_id: root.id};
        print(message);
    });
    known.add(id);
}

const entriesOf = (s) => readFileSync(s.path, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));

function putPosts() {
    for (const s of spools) {
        const known = new Set();
        const entries = entriesOf(s).sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : a.at - b.at || a.order - b.order));
        for (const e of entries)
            putPost(e, known);
    }
}

/** When the first post of each conversation was. */
function firstPosts() {
    const first = new Map();
    for (const s of spools)
        for (const e of entriesOf(s))
            if (!(first.get(e.key) <= e.at))
                first.set(e.key, e.at);
    return first;
}

try {
    await readExport(positionals[0]);
    putPeople();
    putGroups(firstPosts());
    putPosts();
    flush();
    for (const [what, n] of Object.entries(lost).sort())
        console.error(`not imported: ${n} ${what}`);
} catch (e) {
    console.error(e.message);
    process.exitCode = 1;
} finally {
    rmSync(dir, {recursive: true});
}
