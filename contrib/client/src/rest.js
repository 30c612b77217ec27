// SPDX-License-Identifier: BSD-2-Clause
// Every REST call of the server. Each resolves to the bare resource and rejects with a Problem. A refused token is
// replaced once, if there is a way to get another.
import {Problem} from './problem.js';

const segment = encodeURIComponent;

function queryText(query) {
    const pairs = Object.entries(query ?? {}).filter(([, value]) => value !== undefined && value !== null);
    return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs)}`;
}

function retryAfterMs(response) {
    const seconds = Number(response.headers.get('Retry-After') ?? NaN);
    return Number.isFinite(seconds) ? seconds * 1000 : null;
}

async function readJson(response) {
    const text = await response.text();
    if (text === '')
        return null;
    try {
        return JSON.parse(text);
    } catch {
        return null; // a proxy's page; the status tells
    }
}

// A signal that is aborted when the given one is, or after that time: its reason is a TimeoutError then. (AbortSignal.any
// is too young.) done() when it is not needed any more.
function limited(signal, ms) {
    const controller = new AbortController();
    const follow = () => controller.abort(signal.reason);
    const timer = setTimeout(() => controller.abort(new DOMException('too late', 'TimeoutError')), ms);
    if (signal?.aborted)
        follow();
    signal?.addEventListener('abort', follow);
    return {signal: controller.signal, done: () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', follow);
    }};
}

export class Rest {
    #base;
    #tokens;
    #timeoutMs;

    // base: URL of the server, with the prefix that the API is mounted under, without a slash at the end.
    constructor(base, tokens, {timeoutMs = 30000} = {}) {
        this.#base = base;
        this.#tokens = tokens;
        this.#timeoutMs = timeoutMs;
    }

    // One request with this token or, null, without any: {status, body, headers}. body: JSON; data: bytes, a Blob perhaps.
    async requestOnce(method, path, {query, body, data, headers: more, signal, token = null, timeoutMs = this.#timeoutMs} = {}) {
        const headers = {Accept: 'application/json', ...more};
        if (token !== null)
            headers.Authorization = `Bearer ${token}`;
        if (body !== undefined)
            headers['Content-Type'] = 'application/json';
        const limit = limited(signal, timeoutMs);
        let response, json;
        try {
            response = await fetch(this.#base + path + queryText(query), {
                method, headers, cache: 'no-store', signal: limit.signal, body: body === undefined ? data : JSON.stringify(body),
            });
            json = await readJson(response);
        } catch (cause) {
            const {name} = limit.signal.reason ?? {};
            const timedOut = name === 'TimeoutError' || cause?.name === 'TimeoutError';
            throw new Problem(timedOut ? 'timeout' : signal?.aborted ? 'cancelled' : 'disconnected', {
                detail: timedOut ? 'The server did not answer in time.' : 'The server cannot be reached.', cause,
            });
        } finally {
            limit.done();
        }
        if (!response.ok) {
            throw new Problem(json?.code ?? 'unknown', {
                status: response.status, detail: json?.detail ?? response.statusText,
                requestId: response.headers.get('X-Request-Id'), retryAfterMs: retryAfterMs(response),
            });
        }
        return {status: response.status, body: json, headers: response.headers};
    }

    async request(method, path, {query, body, data, headers, signal} = {}) {
        for (let tries = 1; ; tries++) {
            const token = await this.#tokens.get();
            try {
                const answer = await this.requestOnce(method, path, {query, body, data, headers, signal, token});
                this.#tokens.accepted(token);
                return answer;
            } catch (problem) {
                if (!problem.aboutToken)
                    throw problem;
                this.#tokens.refused(token, problem.code);
                if (tries > 1 || !this.#tokens.refreshable)
                    throw problem;
            }
        }
    }

    async #get(path, query) {
        return (await this.request('GET', path, {query})).body;
    }

    async #post(path, body) {
        return (await this.request('POST', path, {body})).body;
    }

    async #put(path, body) {
        return (await this.request('PUT', path, {body})).body;
    }

    async #delete(path, query) {
        return (await this.request('DELETE', path, {query})).body;
    }

    // Every item of a list, page after page: for await (const friend of rest.each((page) => rest.friends(page))).
    async *each(list, {limit = 100} = {}) {
        let cursor = null;
        do {
            const page = await list({limit, cursor});
            yield* page.items;
            cursor = page.next_cursor ?? null; // some lists are of one page
        } while (cursor !== null);
    }

    // ---- messages ----

    send(message) {
        return this.#post('/messages/send', message);
    }

    conversations({limit, cursor, archived} = {}) {
        return this.#get('/messages/conversations', {limit, cursor, archived});
    }

    conversation(conversationId) {
        return this.#get(`/messages/conversations/${segment(conversationId)}`);
    }

    createConversation(userId, source) {
        return this.#post('/messages/conversations/create', {user_id: userId, source});
    }

    history(conversationId, {before, after, limit} = {}) {
        return this.#get(`/messages/conversations/${segment(conversationId)}/messages`, {before, after, limit});
    }

    readConversation(conversationId, upToSeq) {
        return this.#put(`/messages/conversations/${segment(conversationId)}/read`, {up_to_seq: upToSeq});
    }

    updateSettings(conversationId, changes) {
        return this.#put(`/messages/conversations/${segment(conversationId)}/settings`, changes);
    }

    clearConversation(conversationId, upToSeq) {
        return this.#delete(`/messages/conversations/${segment(conversationId)}`, {up_to_seq: upToSeq});
    }

    message(messageId) {
        return this.#get(`/messages/${segment(messageId)}`);
    }

    editMessage(messageId, {content, entities, mentions}) {
        return this.#put(`/messages/${segment(messageId)}`, {content, entities, mentions});
    }

    readMessage(messageId) {
        return this.#put(`/messages/${segment(messageId)}/read`);
    }

    recallMessage(messageId) {
        return this.#put(`/messages/${segment(messageId)}/recall`);
    }

    // This and the next: all reactions of the message afterwards.
    async react(messageId, emoji) {
        return (await this.#put(`/messages/${segment(messageId)}/reactions/${segment(emoji)}`)).reactions;
    }

    async unreact(messageId, emoji) {
        return (await this.#delete(`/messages/${segment(messageId)}/reactions/${segment(emoji)}`)).reactions;
    }

    reactions(messageId, {emoji, user_id, limit, cursor} = {}) {
        return this.#get(`/messages/${segment(messageId)}/reactions`, {emoji, user_id, limit, cursor});
    }

    async pin(messageId) {
        await this.#put(`/messages/${segment(messageId)}/pin`);
    }

    async unpin(messageId) {
        await this.#delete(`/messages/${segment(messageId)}/pin`);
    }

    // The one that was pinned last is the first.
    pins(conversationId, {cursor} = {}) {
        return this.#get(`/messages/conversations/${segment(conversationId)}/pins`, {cursor});
    }

    async deleteMessage(messageId) {
        await this.#delete(`/messages/${segment(messageId)}`);
    }

    async unreadCount() {
        return (await this.unread()).unread_count;
    }

    // {unread_count, mention_count}
    unread() {
        return this.#get('/messages/unread-count');
    }

    mentions({limit, cursor} = {}) {
        return this.#get('/messages/mentions', {limit, cursor});
    }

    // {q, conversation_id, from, type, after, before, limit, cursor}: {items: [{message, conversation_id, highlights}], next_cursor}.
    // after, before: times, as a Date or as the server writes them.
    search({q, conversation_id, from, type, after, before, limit, cursor}) {
        const time = (t) => t instanceof Date ? t.toISOString() : t;
        return this.#get('/messages/search', {q, conversation_id, from, type, after: time(after), before: time(before), limit, cursor});
    }

    receipts(messageId, {limit, cursor} = {}) {
        return this.#get(`/messages/${segment(messageId)}/receipts`, {limit, cursor});
    }

    // {message_ids, to: [{user_id} | {conversation_id}], merged, comment, client_msg_id}: one result for each of `to`,
    // {to, messages} or {to, error}; both where only the first messages are stored.
    async forwardMessages({message_ids, to, merged, comment, client_msg_id}) {
        return (await this.#post('/messages/forward', {message_ids, to, merged, comment, client_msg_id})).results;
    }

    // The parts of a merged message; `part`: those of a part that is merged itself.
    forwarded(messageId, {part, limit, cursor} = {}) {
        return this.#get(`/messages/${segment(messageId)}/forwarded`, {part, limit, cursor});
    }

    sync({conversations = [], since = null, limit} = {}) {
        return this.#post('/messages/sync', {conversations, since, limit});
    }

    // ---- devices that are told while there is no session ----

    devices() {
        return this.#get('/devices');
    }

    // device: {platform: 'webpush', subscription} or {platform: 'fcm' | 'apns', token}, and {app, locale}. subscription: a
    // PushSubscription, or its toJSON(). To be repeated at each start.
    async putDevice(deviceId, device) {
        await this.#put(`/devices/${segment(deviceId)}`, device);
    }

    async deleteDevice(deviceId) {
        await this.#delete(`/devices/${segment(deviceId)}`);
    }

    // The key for PushManager.subscribe(), in base64url; null where the server sends no Web Push.
    async vapidKey() {
        try {
            return (await this.#get('/devices/vapid')).public_key;
        } catch (e) {
            if (e.code === 'not_found') {
                return null;
            }
            throw e;
        }
    }

    // {dnd: {from, to, zone} | null, push_preview}
    settings() {
        return this.#get('/users/me/settings');
    }

    // What is not given stays; null clears it.
    changeSettings({dnd, push_preview}) {
        return this.#put('/users/me/settings', {dnd, push_preview});
    }

    // ---- stickers ----

    stickerPacks({limit, cursor} = {}) {
        return this.#get('/stickers/packs', {limit, cursor});
    }

    stickerPack(packId) {
        return this.#get(`/stickers/packs/${segment(packId)}`);
    }

    // The one installed last comes first.
    installedStickerPacks({limit, cursor} = {}) {
        return this.#get('/stickers/installed', {limit, cursor});
    }

    async installStickerPack(packId) {
        await this.#put(`/stickers/packs/${segment(packId)}/installed`);
    }

    async uninstallStickerPack(packId) {
        await this.#delete(`/stickers/packs/${segment(packId)}/installed`);
    }

    // ---- files: TidingsClient.upload() sends them ----

    // What a file is, for whoever can see a message with it; its URLs are new ones.
    media(mediaId) {
        return this.#get(`/media/${segment(mediaId)}/info`);
    }

    // One that no message shows, or an upload that is not complete.
    async deleteMedia(mediaId) {
        await this.request('DELETE', `/media/${segment(mediaId)}`, {headers: {'Tus-Resumable': '1.0.0'}});
    }

    // {name, size, content_type}: {id, upload: {method, url, headers, expires_at}}. Send the bytes there, then complete it.
    announceMedia({name, size, content_type}) {
        return this.#post('/media', {name, size, content_type});
    }

    completeMedia(mediaId) {
        return this.#post(`/media/${segment(mediaId)}/complete`);
    }

    // A media_url to be loaded from: that of a sticker or a file is a path on the server. Null stays null.
    mediaUrl(url) {
        return url === null ? null : new URL(url, this.#base).href;
    }

    // ---- groups ----

    createGroup({name, user_ids, avatar_url, about, settings, client_group_id}) {
        return this.#post('/groups', {name, user_ids, avatar_url, about, settings, client_group_id});
    }

    group(groupId) {
        return this.#get(`/groups/${segment(groupId)}`);
    }

    // An absent field stays as it is, null clears it.
    updateGroup(groupId, {name, avatar_url, about, settings}) {
        return this.#put(`/groups/${segment(groupId)}`, {name, avatar_url, about, settings});
    }

    async dissolveGroup(groupId) {
        await this.#delete(`/groups/${segment(groupId)}`);
    }

    members(groupId, {query, limit, cursor} = {}) {
        return this.#get(`/groups/${segment(groupId)}/members`, {query, limit, cursor});
    }

    addMembers(groupId, userIds) {
        return this.#post(`/groups/${segment(groupId)}/members`, {user_ids: userIds});
    }

    // role, muted_until: what is absent stays as it is; muted_until null ends a mute.
    updateMember(groupId, userId, {role, muted_until}) {
        return this.#put(`/groups/${segment(groupId)}/members/${segment(userId)}`, {role, muted_until});
    }

    // Oneself: leaves.
    async removeMember(groupId, userId, {ban = false} = {}) {
        const path = `/groups/${segment(groupId)}/members/${segment(userId)}`;
        await this.request('DELETE', path, {query: ban ? {ban: 'true'} : {}});
    }

    passOnGroup(groupId, userId) {
        return this.#put(`/groups/${segment(groupId)}/owner`, {user_id: userId});
    }

    bans(groupId, {limit, cursor} = {}) {
        return this.#get(`/groups/${segment(groupId)}/bans`, {limit, cursor});
    }

    async liftBan(groupId, userId) {
        await this.#delete(`/groups/${segment(groupId)}/bans/${segment(userId)}`);
    }

    createInvite(groupId, {expires_in, max_uses} = {}) {
        return this.#post(`/groups/${segment(groupId)}/invites`, {expires_in, max_uses});
    }

    invites(groupId) {
        return this.#get(`/groups/${segment(groupId)}/invites`);
    }

    async revokeInvite(groupId, code) {
        await this.#delete(`/groups/${segment(groupId)}/invites/${segment(code)}`);
    }

    // What a stranger may see of the group.
    invite(code) {
        return this.#get(`/invites/${segment(code)}`);
    }

    // The conversation, or {state: 'requested'} where an admin has to let the user in.
    acceptInvite(code) {
        return this.#post(`/invites/${segment(code)}`);
    }

    joinGroup(groupId) {
        return this.#post(`/groups/${segment(groupId)}/join`);
    }

    joinRequests(groupId, {limit, cursor} = {}) {
        return this.#get(`/groups/${segment(groupId)}/requests`, {limit, cursor});
    }

    acceptMember(groupId, userId) {
        return this.#put(`/groups/${segment(groupId)}/requests/${segment(userId)}/accept`);
    }

    async declineMember(groupId, userId) {
        await this.#put(`/groups/${segment(groupId)}/requests/${segment(userId)}/decline`);
    }

    // ---- accounts ----

    async register({user_id, password, nickname, device}) {
        return (await this.requestOnce('POST', '/users/register', {body: {user_id, password, nickname, device}})).body;
    }

    async login({user_id, password, device}) {
        return (await this.requestOnce('POST', '/users/login', {body: {user_id, password, device}})).body;
    }

    // The next token, and the next refresh token: this one is spent. timeoutMs: for the answer, if not as of any request.
    async refresh(refreshToken, {timeoutMs} = {}) {
        return (await this.requestOnce('POST', '/users/refresh', {body: {refresh_token: refreshToken}, timeoutMs})).body;
    }

    // all: every login of the user, and every token.
    async logout({all} = {}) {
        await this.#post('/users/logout', {all});
    }

    logins() {
        return this.#get('/users/me/logins');
    }

    async endLogin(loginId) {
        await this.#delete(`/users/me/logins/${segment(loginId)}`);
    }

    // Ends all other logins.
    async changePassword({old_password, new_password}) {
        await this.#put('/users/me/password', {old_password, new_password});
    }

    // For good.
    async deleteAccount(password) {
        await this.request('DELETE', '/users/me', {body: {password}});
    }

    // By the beginning of the id, or any part of the nickname. `not_found` where the server has no directory.
    findUsers(query, {limit, cursor} = {}) {
        return this.#get('/users', {query, limit, cursor});
    }

    me() {
        return this.#get('/users/me');
    }

    // An absent field stays as it is, null clears it.
    updateMe(profile) {
        return this.#put('/users/me', profile);
    }

    user(userId) {
        return this.#get(`/users/${segment(userId)}`);
    }

    // ---- friends ----

    requestFriend(userId, note) {
        return this.#post('/friends/requests', {user_id: userId, note});
    }

    friendRequests({direction, limit, cursor} = {}) {
        return this.#get('/friends/requests', {direction, limit, cursor});
    }

    acceptFriend(userId) {
        return this.#put(`/friends/requests/${segment(userId)}/accept`);
    }

    async declineFriend(userId) {
        await this.#put(`/friends/requests/${segment(userId)}/decline`);
    }

    friends({limit, cursor} = {}) {
        return this.#get('/friends', {limit, cursor});
    }

    async removeFriend(userId) {
        await this.#delete(`/friends/${segment(userId)}`);
    }

    // ---- blocking: any user, a friend or not ----

    async block(userId) {
        await this.#put(`/users/${segment(userId)}/block`);
    }

    async unblock(userId) {
        await this.#delete(`/users/${segment(userId)}/block`);
    }

    blocked({limit, cursor} = {}) {
        return this.#get('/users/blocked', {limit, cursor});
    }

    // ---- notifications ----

    // For services: needs a token whose scope contains `notify`.
    notify(notification) {
        return this.#post('/notifications', notification);
    }

    notifications({limit, cursor} = {}) {
        return this.#get('/notifications', {limit, cursor});
    }

    readNotification(notificationId) {
        return this.#put(`/notifications/${segment(notificationId)}/read`);
    }

    async unreadNotifications() {
        return (await this.#get('/notifications/unread-count')).unread_count;
    }
}
