// SPDX-License-Identifier: BSD-2-Clause
// Ids of conversations and messages are strings of decimal digits; times are RFC 3339, UTC, with milliseconds.

export type Id = string;
export type Time = string;
/** What can be sent. */
export type SentType = 'text' | 'image' | 'voice' | 'video' | 'file' | 'sticker';
/**
 * sticker: its `extra` is a StickerExtra. forward: merged from others; its `extra` is a ForwardExtra. system: what has
 * happened to a group; its `extra` is a SystemExtra.
 */
export type MessageType = SentType | 'forward' | 'system';
export type Json = null | boolean | number | string | Json[] | {[name: string]: Json};

// ---- resources ----

export interface Message {
    id: Id;
    conversation_id: Id;
    /** 1, 2, 3 … within the conversation, in the order of commit. */
    seq: number;
    from_user_id: string;
    /** null in a group. */
    to_user_id: string | null;
    message_type: MessageType;
    content: string | null;
    /** Of a sticker a path on the server: see Rest.mediaUrl(). */
    media_url: string | null;
    extra: {[name: string]: Json} | null;
    client_msg_id: string | null;
    reply_to: Id | null;
    /** User ids, or ['*'] for everyone. */
    mentions: string[];
    /** Formatting of `content`; null: none. */
    entities: Entity[] | null;
    /** Who wrote it first, of a message that was forwarded. */
    forwarded_from: ForwardedFrom | null;
    /** In the order of each kind's first. */
    reactions: Reaction[];
    /** null in a group: see Conversation.read_seq, and Rest.receipts(). */
    is_read: boolean | null;
    read_at: Time | null;
    is_recalled: boolean;
    recalled_at: Time | null;
    /** When it was last edited. Of two states of a message the one with the later time is the newer. */
    edited_at: Time | null;
    /** When the server recalls it for everybody. It stays: of one that has expired, recalled_at is not before it. */
    expires_at: Time | null;
    created_at: Time;
}

/** One kind of reaction to a message. */
export interface Reaction {
    emoji: string;
    count: number;
    /** The first, up to five. */
    user_ids: string[];
}

/** Who has reacted how. */
export interface ReactionBy {
    user_id: string;
    emoji: string;
    at: Time;
}

/** An event `reaction`. */
export interface ReactionChange {
    conversation_id: Id;
    message_id: Id;
    seq: number;
    change_seq: number;
    user_id: string;
    emoji: string;
    /** false: it was taken back. */
    added: boolean;
    /** How many of this kind there are now. */
    count: number;
}

/** The reactions as they are after that event. */
export function withReaction(reactions: Reaction[],
    change: Pick<ReactionChange, 'user_id' | 'emoji' | 'added' | 'count'>): Reaction[];

/**
 * Formatting of a part of `content`. `offset` and `length` count UTF-16 code units, as strings do here. Sorted by offset;
 * of two that overlap one contains the other.
 */
export type Entity = {offset: number; length: number} & (
    {type: 'bold' | 'italic' | 'underline' | 'strikethrough' | 'spoiler' | 'code' | 'quote'} |
    {type: 'pre'; language?: string | null} |
    /** http, https or mailto. */
    {type: 'link'; url: string} |
    /** Who is told is in `mentions`. */
    {type: 'mention'; user_id: string}
);

/** All of what can be edited: without `entities` or `mentions` there are none afterwards. */
export interface Edit {
    content: string;
    entities?: Entity[] | null;
    mentions?: string[] | null;
}

/** Of a message that is sent only pack and sticker count: the server fills in emoji, and media_url. */
export interface StickerExtra {
    pack: string;
    sticker: string;
    emoji: string;
}

export interface Sticker {
    id: string;
    emoji: string;
    /** A path on the server: see Rest.mediaUrl(). It needs no token, and what it shows never changes. */
    media_url: string;
    width: number;
    height: number;
}

export interface StickerPack {
    id: string;
    title: string;
    stickers: Sticker[];
    /** By the caller. */
    installed: boolean;
    updated_at: Time;
}

/** The first author of a message that was forwarded, named as then, and when it was written. */
export interface ForwardedFrom {
    user_id: string;
    nickname: string | null;
    created_at: Time;
}

/** What a merged message shows of its parts, in order; client.forwarded() has all of them. */
export interface ForwardExtra {
    items: {
        user_id: string;
        nickname: string | null;
        message_type: MessageType;
        /** The beginning, up to 200 characters. */
        content: string | null;
        created_at: Time;
    }[];
}

/** A message that was merged into another, as it was then. */
export interface Part {
    /** '07'; the parts of a part of type forward are '07.00' and so on. */
    part: string;
    from_user_id: string;
    nickname: string | null;
    message_type: MessageType;
    content: string | null;
    media_url: string | null;
    extra: {[name: string]: Json} | null;
    entities: Entity[] | null;
    forwarded_from: ForwardedFrom | null;
    created_at: Time;
}

/** An uploaded file. What does not apply is null. */
export interface Media {
    id: string;
    /** Works for a while and without a token: a path on the server, see Rest.mediaUrl(). */
    url: string;
    name: string;
    size: number;
    /** What was found in the file, whatever was said of it. */
    content_type: string;
    /** As it is shown. */
    width: number | null;
    height: number | null;
    /** Seconds. */
    duration: number | null;
    /** At most 320 pixels wide and high. */
    thumbnail_url: string | null;
    blurhash: string | null;
    created_at: Time;
}

/** Where the bytes of a file go that was announced. */
export interface UploadPlace {
    id: string;
    upload: {method: string; url: string; headers: {[name: string]: string}; expires_at: Time};
}

export interface UploadOptions {
    /** Default: the File's, or 'file'. */
    name?: string;
    /** What it is thought to be; the server finds out. Default: the File's. */
    type?: string;
    conversation_id?: Id;
    /** Bytes that the server has. It may go back after an interruption. */
    onProgress?: (progress: {sent: number; size: number}) => void;
    /** Ends the upload: it rejects with `cancelled`, and the server deletes what it has. */
    signal?: AbortSignal;
}

/** The type of message that shows such a file. */
export function messageTypeOf(media: Pick<Media, 'content_type' | 'width' | 'duration'>): 'image' | 'voice' | 'video' | 'file';

export type ForwardTarget = {user_id: string} | {conversation_id: Id};

export interface ForwardOptions {
    /** One message of type forward in place of copies. */
    merged?: boolean;
    /** A text that is sent before them. */
    comment?: string;
    /** With it the same request can be repeated: nothing is doubled, what is missing is sent. */
    client_msg_id?: string;
}

/** What became of one target. With messages and an error only these are stored, a beginning. */
export interface ForwardResult {
    to: ForwardTarget;
    messages?: Message[];
    error?: {code: string; detail: string};
}

export interface SystemExtra {
    /** Ignore those that you do not know. */
    event: 'created' | 'added' | 'joined' | 'left' | 'removed' | 'renamed' | 'changed' | 'role' | 'owner' | 'dissolved' |
        (string & {});
    /** To whom it has happened; who did it is the message's from_user_id. */
    user_ids: string[];
}

export interface Reference {
    kind: string;
    id: string;
}

export interface Peer {
    user_id: string;
    nickname: string | null;
    avatar_url: string | null;
    online: boolean;
}

export type Role = 'owner' | 'admin' | 'member';

export interface GroupSettings {
    /** Who may join: with an invite, also by the group's id, or both once an admin has let them in. */
    join: 'invite' | 'open' | 'approval';
    /** What a new member sees. */
    history: 'all' | 'joined';
    /** Who may send; who may add friends and make invites. */
    send: 'all' | 'admins';
    add: 'all' | 'admins';
    /** A member sends one message in that time; 0: any number. */
    slow_mode_seconds: number;
}

export interface Group {
    name: string;
    avatar_url: string | null;
    about: string | null;
    owner_id: string;
    /** The caller's own. */
    role: Role;
    member_count: number;
    joined_at: Time;
    /** It can be read, and nothing else. */
    dissolved_at: Time | null;
    settings: GroupSettings;
}

/** What the caller has set of a conversation for themselves; but `expires_in`, which all see. */
export interface ConversationSettings {
    /** null where it is not muted now. A client that keeps it looks at the time itself. */
    muted_until: Time | null;
    pinned_at: Time | null;
    /** It is in the list of the archived ones alone, until somebody else writes, or while it is muted. */
    archived: boolean;
    marked_unread: boolean;
    draft: string | null;
    /** A mute holds for mentions, too. */
    mute_mentions: boolean;
    /** Seconds that messages last which are sent without `expires_in`; null: for ever. */
    expires_in: number | null;
}

/** What is absent stays as it is; null clears it. */
export interface SettingsChanges {
    muted_until?: Time | null;
    pinned?: boolean | null;
    archived?: boolean | null;
    marked_unread?: boolean | null;
    /** Up to 4,096 bytes of UTF-8. */
    draft?: string | null;
    mute_mentions?: boolean | null;
    /** 5 to 31536000. Of a group by its admins alone (`forbidden`). Both sides, or all members, are told (`conversation`). */
    expires_in?: number | null;
}

interface AnyConversation {
    id: Id;
    /** The newest one that the caller may see and has not deleted. */
    last_message: Message | null;
    last_message_time: Time | null;
    unread_count: number;
    /** Those of them that mention the caller or everyone. */
    mention_count: number;
    read_seq: number;
    /** The first message that the caller may see. */
    first_seq: number;
    change_seq: number;
    settings: ConversationSettings;
    source: Reference | null;
    created_at: Time;
}

export interface DirectConversation extends AnyConversation {
    kind: 'direct';
    peer: Peer;
    group: null;
    peer_read_seq: number;
    /** The furthest that messages have reached a device of the other side, at least peer_read_seq. */
    peer_delivered_seq: number;
}

export interface GroupConversation extends AnyConversation {
    kind: 'group';
    peer: null;
    group: Group;
    peer_read_seq: null;
    peer_delivered_seq: null;
}

export type Conversation = DirectConversation | GroupConversation;

/** Who was not added, and why: not_friends, blocked, already_member, banned, group_full, too_many_groups, not_found. */
export type LeftOut = {user_id: string; code: string}[];

export interface Member {
    user: Profile;
    role: Role;
    joined_at: Time;
    /** Until then they cannot send. */
    muted_until: Time | null;
}

export interface Ban {
    user: Profile;
    banned_by: string;
    created_at: Time;
}

export interface Invite {
    code: string;
    /** null: never. */
    expires_at: Time | null;
    /** null: any number. */
    max_uses: number | null;
    uses: number;
    created_by: string;
    created_at: Time;
}

/** What a stranger may see of a group. */
export interface InvitePreview {
    name: string;
    avatar_url: string | null;
    about: string | null;
    member_count: number;
}

/** An admin has to let the user in. */
export interface Requested {
    state: 'requested';
}

export interface JoinRequest {
    user: Profile;
    created_at: Time;
}

export interface Unread {
    unread_count: number;
    mention_count: number;
}

export interface ReceiptPage extends Page<{user_id: string; read_at: Time}> {
    read_count: number;
}

export interface Profile {
    user_id: string;
    nickname: string | null;
    avatar_url: string | null;
    created_at: Time | null;
}

/** What registering, logging in and renewing answer. */
export interface Account {
    user: Profile;
    /** Short-lived. */
    token: string;
    expires_at: Time;
    /** For rest.refresh(), once: keep it as a password. */
    refresh_token: string;
    /** Each renewal moves it on. */
    refresh_expires_at: Time;
    login_id: Id;
}

/** One of the places where the user is logged in. */
export interface LoginEntry {
    id: Id;
    /** The label that was given at the login. */
    device: string | null;
    created_at: Time;
    last_used_at: Time;
    /** Of the client then; empty where the server did not see one. */
    address: string;
    /** The one that asks. */
    current: boolean;
}

/** A device that is told while the user has no session. */
export interface Device {
    id: string;
    platform: 'webpush' | 'fcm' | 'apns';
    app: string | null;
    locale: string | null;
    created_at: Time;
    last_used_at: Time;
    /** It belongs to the login that asks. */
    current: boolean;
}

/** What Push.subscribe() gives, or its toJSON(). */
export interface DeviceSubscription {
    endpoint: string;
    keys?: {p256dh: string; auth: string};
    toJSON?(): unknown;
}

export interface UserSettings {
    /** From and to as HH:MM, in that zone of the tz database. */
    dnd: {from: string; to: string; zone: string} | null;
    push_preview: boolean;
}

/** What a LoginStore keeps. */
export interface StoredLogin {
    user_id: string;
    token: string;
    /** null: of a token without a login, which cannot be renewed. */
    login_id: Id | null;
    refresh_token: string | null;
    expires_at: Time;
    refresh_expires_at: Time | null;
    /** How often it was renewed: of two states of a login the one with more is the newer. Absent: 0. */
    renewals?: number;
    /** By the device's clock, in milliseconds; only the time that has passed since counts. */
    received_at: number;
    lifetime_ms: number;
}

export function loginOf(account: Account): StoredLogin;

/** What has become of a login in another tab: its tokens there, or null and why it ended. */
export interface LoginNews {
    of: StoredLogin;
    login: StoredLogin | null;
    reason?: string;
}

/** Where a login is kept. Anything with these methods does; the class keeps it in one item of a storage. */
export class LoginStore {
    /** key: default "tidings:login". It is also the name of the BroadcastChannel by which tabs tell one another. */
    constructor(storage: Storage & {removeItem(key: string): unknown}, key?: string);
    load(): Promise<StoredLogin | null>;
    save(login: StoredLogin): Promise<void>;
    /** Only if it is still this login that is kept. */
    remove(login: StoredLogin, reason: string): Promise<void>;
    /** Resolves when other tabs have had the time to tell of a newer state; a store of your own may do without. */
    ask(login: StoredLogin): Promise<void>;
    /** Of other tabs; also what is older than what is kept here. Returns the function that ends it. */
    subscribe(listener: (news: LoginNews) => void): () => void;
}

export interface Friend {
    user: Profile;
    online: boolean;
    last_seen: Time | null;
    blocked: boolean;
    since: Time;
}

export interface FriendRequest {
    user: Profile;
    note: string | null;
    created_at: Time;
}

export interface Notification {
    /** null for what is told and not stored, as the end of a friendship. */
    id: Id | null;
    kind: string;
    actor: Profile | null;
    ref: Reference | null;
    message_id: Id | null;
    body: string | null;
    is_read: boolean;
    created_at: Time;
}

export interface Page<Item> {
    items: Item[];
    next_cursor: string | null;
}

export interface PageOptions {
    limit?: number;
    cursor?: string | null;
}

export interface SearchQuery {
    /** Up to 128 characters. All words are required; those in double quotes have to follow one another. */
    q: string;
    conversation_id?: Id;
    /** Its sender. */
    from?: string;
    type?: SentType | 'forward';
    /** Both excluded. */
    after?: Date | Time;
    before?: Date | Time;
}

export interface FoundMessage {
    message: Message;
    conversation_id: Id;
    /** [offset, length] in content, in UTF-16 units; none where only the name of its file was found. */
    highlights: [number, number][];
}

export interface ReadResult {
    conversation_id: Id;
    read_seq: number;
    marked: number;
    unread_count: number;
}

export interface Change {
    change_seq: number;
    /** Ignore those that you do not know: `updated` tells what became of the message. */
    kind: 'recalled' | 'read' | 'deleted' | 'edited' | 'reaction' | 'pinned' | 'unpinned' | (string & {});
    message_id: Id;
    at: Time;
}

export interface Synced {
    conversations: {
        conversation: Conversation; messages: Message[]; changes: Change[];
        /** The messages that `changes` name, as they are now. */
        updated: Message[];
        has_more: boolean;
    }[];
    /** Of those that were asked about: the caller may not see them (any more). */
    gone: Id[];
    cursor: string;
    more: boolean;
}

/** The body of POST /messages/send. It has either `to_user_id` or `conversation_id`. */
export interface Draft {
    to_user_id?: string;
    conversation_id?: Id;
    message_type: SentType;
    content?: string | null;
    media_url?: string | null;
    extra?: {[name: string]: Json} | null;
    reply_to?: Id | null;
    mentions?: string[] | null;
    entities?: Entity[] | null;
    client_msg_id?: string;
    /** Seconds, 5 to 31536000, from when the server stores it. */
    expires_in?: number | null;
}

// ---- what fails ----

/**
 * What a request failed with. `code` is the server's, or one of ours with status 0: `disconnected`, `timeout`,
 * `cancelled`. `unknown` is an answer that is none of the server's, a proxy's page perhaps.
 */
export class Problem extends Error {
    constructor(code: string, options?: {
        status?: number; detail?: string | null; requestId?: string | null; retryAfterMs?: number | null; cause?: unknown;
    });
    readonly code: string;
    readonly status: number;
    readonly detail: string | null;
    readonly requestId: string | null;
    readonly retryAfterMs: number | null;
    /** The same request may succeed later, with nothing about it changed. */
    readonly transient: boolean;
    /** It is the token that was refused, not the request. */
    readonly aboutToken: boolean;
}

// ---- REST ----

/** Every call resolves to the bare resource and rejects with a Problem. */
export interface Rest {
    /** Every item of a list, page after page. */
    each<Item>(list: (page: PageOptions) => Promise<Page<Item>>, options?: {limit?: number}): AsyncGenerator<Item>;

    send(message: Draft): Promise<Message>;
    /** The pinned ones first, then the newest. archived: the archived ones alone; else the others. */
    conversations(page?: PageOptions & {archived?: boolean}): Promise<Page<Conversation>>;
    conversation(conversationId: Id): Promise<Conversation>;
    createConversation(userId: string, source?: Reference): Promise<Conversation>;
    /** Oldest first. before: the newest under that seq; after: the oldest over it; neither: the newest. */
    history(conversationId: Id, options?: {before?: number; after?: number; limit?: number}):
        Promise<{items: Message[]; has_more: boolean}>;
    readConversation(conversationId: Id, upToSeq?: number): Promise<ReadResult>;
    /** `conflict` where 100 conversations are pinned. The user's other sessions get `conversation`. */
    updateSettings(conversationId: Id, changes: SettingsChanges): Promise<Conversation>;
    /** For the caller alone: up to that seq, or all. Then it is in no list until the next message. The user's other sessions
     * get `conversation`, whose first_seq is what is left. */
    clearConversation(conversationId: Id, upToSeq?: number): Promise<void>;
    message(messageId: Id): Promise<Message>;
    readMessage(messageId: Id): Promise<Message>;
    /** `edit_expired` when it is too late. The same once more changes nothing. */
    editMessage(messageId: Id, edit: Edit): Promise<Message>;
    /** One result for each of `to`, in that order. */
    forwardMessages(request: {message_ids: Id[]; to: ForwardTarget[]} & ForwardOptions): Promise<ForwardResult[]>;
    /** The parts of a merged message, or those of one of its parts that is merged itself. */
    forwarded(messageId: Id, page?: PageOptions & {part?: string}): Promise<Page<Part>>;
    recallMessage(messageId: Id): Promise<Message>;
    /** One of each kind a user. This and the next: all reactions of the message afterwards. */
    react(messageId: Id, emoji: string): Promise<Reaction[]>;
    unreact(messageId: Id, emoji: string): Promise<Reaction[]>;
    /** In order of time; emoji: of this kind alone; user_id: of this user alone. */
    reactions(messageId: Id, options?: PageOptions & {emoji?: string; user_id?: string}): Promise<Page<ReactionBy>>;
    /** Either side of a direct conversation, admins in a group. */
    pin(messageId: Id): Promise<void>;
    unpin(messageId: Id): Promise<void>;
    /** The pinned messages, the one that was pinned last first. */
    pins(conversationId: Id, options?: {cursor?: string | null}): Promise<Page<Message>>;
    deleteMessage(messageId: Id): Promise<void>;
    unreadCount(): Promise<number>;
    unread(): Promise<Unread>;
    /** Messages that mention the caller or everyone, the newest first. */
    mentions(page?: PageOptions): Promise<Page<Message>>;
    /** Newest first. A page may be short, or empty, and have a next_cursor. `unavailable` while the index is made, `not_found` where there is none. */
    search(query: SearchQuery & PageOptions): Promise<Page<FoundMessage>>;
    /** Who has read a message, without its sender. `conflict` in groups that are too large for it. */
    receipts(messageId: Id, page?: PageOptions): Promise<ReceiptPage>;
    sync(request?: {
        conversations?: {id: Id; seq: number; change_seq: number}[]; since?: string | null; limit?: number;
    }): Promise<Synced>;

    devices(): Promise<{items: Device[]}>;
    /** To be repeated at each start. */
    putDevice(deviceId: string, device: ({platform: 'webpush'; subscription: DeviceSubscription} | {platform: 'fcm' | 'apns'; token: string}) & {app?: string; locale?: string}): Promise<void>;
    deleteDevice(deviceId: string): Promise<void>;
    /** The applicationServerKey for subscribe(); null where the server sends no Web Push. */
    vapidKey(): Promise<string | null>;
    settings(): Promise<UserSettings>;
    /** What is not given stays; null clears it. */
    changeSettings(settings: {dnd?: UserSettings['dnd']; push_preview?: boolean | null}): Promise<UserSettings>;
    stickerPacks(page?: PageOptions): Promise<Page<StickerPack>>;
    stickerPack(packId: string): Promise<StickerPack>;
    /** The one installed last comes first. */
    installedStickerPacks(page?: PageOptions): Promise<Page<StickerPack>>;
    /** Up to 100; `conflict` beyond. */
    installStickerPack(packId: string): Promise<void>;
    uninstallStickerPack(packId: string): Promise<void>;
    /** For whoever can see a message with the file. `conflict` while it is not complete. */
    media(mediaId: string): Promise<Media>;
    /** Of one's own; `conflict` where a message shows it. */
    deleteMedia(mediaId: string): Promise<void>;
    /** Send the bytes to the place, then complete it. upload() is easier, and goes on after an interruption. */
    announceMedia(file: {name: string; size: number; content_type?: string}): Promise<UploadPlace>;
    completeMedia(mediaId: string): Promise<Media>;
    /** A media_url to be loaded from: that of a sticker or a file is a path on the server. */
    mediaUrl<Url extends string | null>(url: Url): Url;

    /** With a client_group_id it can be repeated: the group is made once. */
    createGroup(group: {
        name: string; user_ids?: string[]; avatar_url?: string | null; about?: string | null;
        settings?: Partial<GroupSettings>; client_group_id?: string;
    }): Promise<GroupConversation & {left_out: LeftOut}>;
    group(groupId: Id): Promise<GroupConversation>;
    /** An absent field stays as it is, null clears it. */
    updateGroup(groupId: Id, changes: {
        name?: string; avatar_url?: string | null; about?: string | null; settings?: Partial<GroupSettings>;
    }): Promise<GroupConversation>;
    dissolveGroup(groupId: Id): Promise<void>;
    /** The owner first, then admins. query: only members whose id begins with it or whose nickname contains it. */
    members(groupId: Id, options?: PageOptions & {query?: string}): Promise<Page<Member>>;
    addMembers(groupId: Id, userIds: string[]): Promise<{added: string[]; left_out: LeftOut}>;
    /** An absent field stays as it is; muted_until null ends a mute. */
    updateMember(groupId: Id, userId: string, changes: {role?: 'admin' | 'member'; muted_until?: Time | null}): Promise<Member>;
    /** Oneself: leaves. */
    removeMember(groupId: Id, userId: string, options?: {ban?: boolean}): Promise<void>;
    passOnGroup(groupId: Id, userId: string): Promise<GroupConversation>;
    bans(groupId: Id, page?: PageOptions): Promise<Page<Ban>>;
    liftBan(groupId: Id, userId: string): Promise<void>;
    /** expires_in: seconds. */
    createInvite(groupId: Id, options?: {expires_in?: number; max_uses?: number}): Promise<Invite>;
    invites(groupId: Id): Promise<{items: Invite[]}>;
    revokeInvite(groupId: Id, code: string): Promise<void>;
    invite(code: string): Promise<InvitePreview>;
    acceptInvite(code: string): Promise<GroupConversation | Requested>;
    joinGroup(groupId: Id): Promise<GroupConversation | Requested>;
    joinRequests(groupId: Id, page?: PageOptions): Promise<Page<JoinRequest>>;
    acceptMember(groupId: Id, userId: string): Promise<Member>;
    declineMember(groupId: Id, userId: string): Promise<void>;

    /** Needs no token. device: a label for the list of logins. These keep nothing: client.register() and login() do. */
    register(account: {user_id: string; password: string; nickname?: string; device?: string}): Promise<Account>;
    login(account: {user_id: string; password: string; device?: string}): Promise<Account>;
    /** Needs no token. The refresh token is spent; within 30 s it may be used again, where the answer was lost. */
    refresh(refreshToken: string, options?: {timeoutMs?: number}): Promise<Account>;
    /** This login; all: every login and token of the user. `invalid_argument` for one token without a login. */
    logout(options?: {all?: boolean}): Promise<void>;
    /** The one used last first. */
    logins(): Promise<{items: LoginEntry[]}>;
    endLogin(loginId: Id): Promise<void>;
    /** Ends all other logins. `forbidden`: the old one is wrong. */
    changePassword(passwords: {old_password: string; new_password: string}): Promise<void>;
    /** For good. `forbidden`: the password is wrong. */
    deleteAccount(password: string): Promise<void>;
    /** Whose id begins with it, or whose nickname contains it: 2 to 64 characters. `not_found` where the server has no directory. */
    findUsers(query: string, page?: PageOptions): Promise<Page<Profile>>;
    me(): Promise<Profile>;
    /** An absent field stays as it is, null clears it. avatar_url: also `tidings:media/{id}`; then it is a path on the server, see mediaUrl(). */
    updateMe(profile: {nickname?: string | null; avatar_url?: string | null}): Promise<Profile>;
    user(userId: string): Promise<Profile>;

    /** A crossing request makes friends at once. */
    requestFriend(userId: string, note?: string): Promise<FriendRequest | Friend>;
    friendRequests(options?: PageOptions & {direction?: 'in' | 'out'}): Promise<Page<FriendRequest>>;
    acceptFriend(userId: string): Promise<Friend>;
    declineFriend(userId: string): Promise<void>;
    friends(page?: PageOptions): Promise<Page<Friend>>;
    removeFriend(userId: string): Promise<void>;
    /** Any user, a friend or not. */
    block(userId: string): Promise<void>;
    unblock(userId: string): Promise<void>;
    blocked(page?: PageOptions): Promise<Page<Profile>>;

    /** For services: needs a token whose scope contains `notify`. */
    notify(notification: {
        user_id: string; kind: string; actor_id?: string; ref?: Reference; message_id?: Id; body?: string;
    }): Promise<Notification>;
    notifications(page?: PageOptions): Promise<Page<Notification>>;
    readNotification(notificationId: Id): Promise<Notification>;
    unreadNotifications(): Promise<number>;
}

// ---- events ----

/**
 * - idle: connect() was not called yet
 * - connecting, online
 * - waiting: comes back by itself after `retryInMs`
 * - replaced: closed with 4001; only connect() leads out
 * - unauthorized: no valid token; setToken() or connect() leads out
 * - stopped: close() was called
 */
export type State = 'idle' | 'connecting' | 'online' | 'waiting' | 'replaced' | 'unauthorized' | 'stopped';

export interface Events {
    state: {state: State; reason: string; retryInMs: number | null};
    /** Connected, and nothing that happened before is missing. After every (re)connection and `resync`. */
    synced: Record<string, never>;
    /**
     * A conversation as the server shows it now: each at the first connection, later those that may have changed, and a
     * group that the user has come into. Its last_message may be older than a message that was handed on before.
     */
    conversation: Conversation;
    /**
     * The user is no longer in the group: forget the conversation. A dissolved one can still be read. null: it happened
     * during an absence, or how is not known.
     */
    left: {conversation_id: Id; reason: 'left' | 'removed' | 'banned' | 'dissolved' | null};
    /** Each message once, and those of a conversation in the order of seq; one's own are among them. */
    message: Message;
    /** The message was put into the outbox. */
    queued: Draft & {client_msg_id: string};
    /** The server has stored it. Its `message` event comes in its place in the order, before or after. */
    ack: {client_msg_id: string; message: Message; replayed: boolean};
    /** The server will not have it; it has left the outbox. */
    refused: {client_msg_id: string; draft: Draft; problem: Problem};
    /**
     * by: the admin who did it in the sender's place. reason: it has expired. Not known of what was recalled during an
     * absence.
     */
    recalled: {conversation_id: Id; message_id: Id; recalled_at: Time; by?: string | null; reason?: 'expired'};
    /**
     * The message as it is now. It may be one that was not handed on; a `message` that comes later has the edit. Told of an
     * edit during an absence too, of several only the last.
     */
    edited: {message: Message; change_seq: number};
    /** Something was done to it during an absence: this is how it is now. What it was is told by the events for it, too. */
    updated: {message: Message};
    /**
     * Somebody has reacted to a message, or has taken that back: withReaction() makes the new reactions of a message that you
     * keep. What happened during an absence is told by `updated` alone.
     */
    reaction: ReactionChange;
    /** by null: it happened during an absence. A message that is recalled is not pinned any more, without a word. */
    pinned: {conversation_id: Id; message_id: Id; pinned: boolean; by: string | null; change_seq: number};
    deleted: {conversation_id: Id; message_id: Id};
    /**
     * up_to_seq for a conversation, message_ids for single messages (of direct conversations alone); reader_id null: the
     * recipient of the message. In a group a `message` also reads it, for its sender, up to its own seq; no `read` says so.
     */
    read: {
        conversation_id: Id; reader_id: string | null; up_to_seq: number | null; message_ids: Id[] | null; read_at: Time;
    };
    /**
     * Messages up to that seq have reached a device of the other side: the conversation's peer_delivered_seq, unless it is
     * further already. A hint, which may come twice or be lost.
     */
    delivered: {conversation_id: Id; user_id: string; up_to_seq: number};
    typing: {conversation_id: Id; user_id: string};
    presence: {user_id: string; online: boolean; last_seen: Time | null};
    notification: Notification;
    /** The state `replaced` follows, or `ended`. */
    kicked: {reason: string; by_session: string | null};
    /**
     * The login is over, and no longer in the store; the state `unauthorized` follows. The server's reason: logged_out (here or
     * elsewhere), password_changed, token_reused, too_many_logins, revoked, disabled, erased; or ours: revoked where the
     * server does not say more, expired where it was not used for too long, or is not known any more.
     */
    ended: {reason: string};
    /** What failed in the background: the storage, or a request that fails however often it is repeated. */
    error: Error;
}

// ---- the client ----

/** Like localStorage; the methods may return promises. */
export interface Storage {
    getItem(key: string): string | null | Promise<string | null>;
    setItem(key: string, value: string): unknown;
}

export interface Options {
    /** Where the server is, with its prefix: https://chat.example.org/im; wss: and ws: do as well. In a page it may be relative. */
    url: string | URL;
    token?: string;
    /** Called when a token is needed and there is none, or the last was refused or has expired. Nothing: signed out. */
    getToken?: () => string | null | undefined | Promise<string | null | undefined>;
    /** In place of the two: the login that login() has begun, now or before a restart. It renews itself. */
    loginStore?: LoginStore | null;
    /** Default: the global one. */
    WebSocket?: new (url: string, protocols: string[]) => any;
    /** The device class, for session.policy = device: web, ios, android, desktop … */
    device?: string | null;
    /** If it is known beforehand: what is stored is then there before the first connection. */
    userId?: string | null;
    /** Keeps unsent messages, and (resume) how far each conversation was handed on. One client at a time uses it. */
    storage?: Storage | null;
    /** Default "tidings:"; the user's id follows. */
    storagePrefix?: string;
    /** false: messages from before the first connection are history even if they were never handed on. Default true. */
    resume?: boolean;
    /** Tell the senders of direct messages that they have come here (`delivered`). Default true. */
    reportDelivery?: boolean;
    /** Full jitter: after the nth failure a time from 0 to min(maxMs, baseMs * 2^(n-1)). Defaults 500 and 30000. */
    backoff?: {baseMs?: number; maxMs?: number; random?: () => number};
    timing?: {
        /** Until the server's hello. Default 15000. */
        connectMs?: number;
        /** Until the answer to a frame; the connection is given up then. Default 15000. */
        answerMs?: number;
        /**
         * Until a ping is answered before the connection is given up; on a slow link more, up to answerMs. Default 6000.
         */
        pingMs?: number;
        /** Until the answer to a REST call. Default 30000. */
        requestMs?: number;
        /** A connection that lived so long makes the backoff begin anew. Default 5000. */
        stableMs?: number;
        /** How long a message waits for those before it until they are fetched. Default 200. */
        gapMs?: number;
        /** How long it may be quiet before a ping. Default null: as the server says, in a visible page 10000 at most. */
        heartbeatMs?: number | null;
    };
}

export interface Outgoing {
    /** The recipient; or the conversation, which may be a group. */
    to?: string;
    conversation_id?: Id;
    /** Default text. */
    type?: SentType;
    content?: string | null;
    media_url?: string | null;
    extra?: {[name: string]: Json} | null;
    reply_to?: Id | null;
    /** User ids, or ['*'] for everyone. */
    mentions?: string[] | null;
    entities?: Entity[] | null;
    /** Seconds, 5 to 31536000, from when the server stores it. */
    expires_in?: number | null;
    /** Default: a random one. */
    client_msg_id?: string;
    /**
     * Is uploaded first. Then media_url, type (unless given) and, in extra, file_name, size, width, height, blurhash and
     * duration are filled in. Until it is in the outbox the message is not in `unsent`, and a restart forgets it.
     */
    file?: File | Blob;
    /** As of UploadOptions, for the file. */
    name?: string;
    onProgress?: UploadOptions['onProgress'];
    signal?: AbortSignal;
}

export interface Sending {
    client_msg_id: string;
    /** Resolves to the stored message; rejects with a Problem if refused, taken back, or the client is closed. */
    done: Promise<Message>;
}

export class TidingsClient {
    constructor(options: Options);

    readonly rest: Rest;
    readonly state: State;
    readonly online: boolean;
    /** Connected, and nothing that happened before is missing. */
    readonly synced: boolean;
    readonly userId: string | null;
    readonly sessionId: string | null;
    /** The server's time, in milliseconds since 1970, by its hello; one's own before the first. */
    readonly serverTime: number;
    /** What is neither acknowledged nor refused; to one recipient in the order of sending. */
    readonly unsent: (Draft & {client_msg_id: string})[];

    /** Returns the function that takes the listener off again. */
    on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void;
    once<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void;
    off<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): void;

    connect(): this;
    /** Resolves when caught up; rejects if the connection comes to rest before, or the client is closed. */
    ready(): Promise<void>;
    /** Resolves when what is to be stored is stored. The client is of no more use: connect() throws, ready() rejects. */
    close(): Promise<void>;
    /** Another token of the same user. Leads out of `unauthorized`. Not with a loginStore. */
    setToken(token: string): void;

    /** These need a loginStore, where the login is kept from then on; connect() as ever. device: a label for the list of logins. */
    register(account: {user_id: string; password: string; nickname?: string; device?: string}): Promise<Account>;
    login(account: {user_id: string; password: string; device?: string}): Promise<Account>;
    /** Renews the login now, which it does by itself in time. Rejects where the server cannot be asked; it is tried again. */
    refresh(): Promise<void>;
    /** The server ends this login, or all, and `ended` follows. Rejects where the server cannot be told or its answer does not come: the login stays here. */
    logout(options?: {all?: boolean}): Promise<void>;
    /** Out of the store alone; the server is not told. */
    forgetLogin(): Promise<void>;
    /** For good; `ended` follows. `forbidden`: the password is wrong. */
    deleteAccount(password: string): Promise<void>;

    /** Goes out now, or when there is a connection again. After close() its `done` rejects. */
    send(message: Outgoing): Sending;
    /**
     * By tus. Goes on where it stopped after a lost connection, and, with a storage and a File, when the same file is given
     * again after a restart. Rejects with `payload_too_large`, `quota_exceeded`, `rate_limited` where a day's uploads are used
     * up, `invalid_argument` for a picture that cannot be read.
     */
    upload(file: File | Blob, options?: UploadOptions): Promise<Media>;
    /** A message with what upload() has resolved to; type and extra as of one with a `file`. */
    sendUploaded(media: Media, message: Omit<Outgoing, 'file' | 'name' | 'media_url' | 'onProgress' | 'signal'>): Sending;
    /** Takes back an unsent message; false where it may have reached the server. */
    cancel(clientMsgId: string): boolean;
    /** Remembered until the server knows it. Without upToSeq: all. */
    markRead(conversationId: Id, upToSeq?: number): void;
    /** A text or a caption of one's own, while the server allows it (`edit_expired`). The event `edited` follows. */
    edit(messageId: Id, edit: Edit): Promise<Message>;
    /** Copies of messages that this user may see, of any conversations, to others: one result for each of `to`. */
    forward(messageIds: Id[], to: ForwardTarget[], options?: ForwardOptions): Promise<ForwardResult[]>;
    /** All parts of a message of type forward, or of one of its parts of that type. */
    forwarded(messageId: Id, part?: string): AsyncGenerator<Part>;
    /** A page of the messages that this user may see, of all conversations or one, the newest first. */
    search(query: SearchQuery & PageOptions): Promise<Page<FoundMessage>>;
    recall(messageId: Id): Promise<Message>;
    /** All reactions of the message afterwards. The event `reaction` follows. */
    react(messageId: Id, emoji: string): Promise<Reaction[]>;
    unreact(messageId: Id, emoji: string): Promise<Reaction[]>;
    /** Keep it when you make a REST call that answers messages. */
    readonly moment: number;
    /** A message of that answer, with the reactions that events have told of since that moment. */
    withReactions(message: Message, moment: number): Message;
    pin(messageId: Id): Promise<void>;
    unpin(messageId: Id): Promise<void>;
    delete(messageId: Id): Promise<void>;
    /** Any user, a friend or not: they cannot write to this one, nor ask to be a friend. Stays until it is lifted. */
    block(userId: string): Promise<void>;
    unblock(userId: string): Promise<void>;
    /** All whom this user blocks. */
    blocked(): Promise<Profile[]>;
    /** Out of a group; the event `left` follows. An owner passes the group on first (`conflict`), or is alone. */
    leave(groupId: Id): Promise<void>;
    /** Shown to the peer, or to the members of a group that is not too large, if they are connected. */
    typing(conversationId: Id): void;
    /** Whose presence to follow, also after reconnections; replaces the set before. Up to 500 friends. */
    watch(userIds: Iterable<string>): void;
}
