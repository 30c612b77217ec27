// SPDX-License-Identifier: BSD-2-Clause
// A page's chat in outline; the declarations are checked against it.
import {Problem, TidingsClient, withReaction, type Message, type StickerExtra, type SystemExtra} from 'tidings-client';

const client = new TidingsClient({
    url: '/im',
    getToken: async () => (await (await fetch('/session/token')).json()).token as string,
    storage: sessionStorage, // each tab has an outbox of its own
    device: 'web',
});

const shown = new Map<string, Message>();

const titles = new Map<string, string>();

client.on('conversation', (c) => {
    titles.set(c.id, c.kind === 'group' ? c.group.name : c.peer.nickname ?? c.peer.user_id);
    console.log(titles.get(c.id), c.unread_count, c.mention_count);
});
client.on('left', ({conversation_id, reason}) => {
    if (reason !== 'dissolved')
        titles.delete(conversation_id);
});
client.on('message', (m) => {
    shown.set(m.id, m);
    if (m.message_type === 'system')
        console.log(systemText(m));
    if (m.from_user_id !== client.userId)
        client.markRead(m.conversation_id, m.seq);
});
client.on('message', (m) => {
    if (m.message_type === 'sticker' && m.extra !== null)
        console.log((m.extra as unknown as StickerExtra).emoji, client.rest.mediaUrl(m.media_url));
});
client.on('recalled', ({message_id}) => shown.delete(message_id));
client.on('edited', ({message}) => replace(message));
client.on('updated', ({message}) => replace(message));
client.on('reaction', (change) => {
    const known = shown.get(change.message_id);
    if (known)
        shown.set(known.id, {...known, reactions: withReaction(known.reactions, change)});
});
client.on('pinned', ({message_id, pinned, by}) => console.log(`${by ?? 'somebody'} ${pinned ? 'pinned' : 'unpinned'} ${message_id}`));
client.on('refused', ({draft, problem}) => console.warn(`not sent to ${draft.to_user_id ?? draft.conversation_id}: ${problem.code}`));
client.on('state', ({state, retryInMs}) => console.log(state, retryInMs));
client.connect();

function replace(message: Message): void {
    const known = shown.get(message.id);
    if (known && (known.edited_at ?? '') <= (message.edited_at ?? ''))
        shown.set(message.id, message);
}

export async function shout(message: Message): Promise<void> {
    const content = (message.content ?? '').toUpperCase();
    await client.edit(message.id, {content, entities: [{type: 'bold', offset: 0, length: content.length}]});
}

function systemText({from_user_id, extra}: Message): string | null {
    const {event, user_ids} = extra as unknown as SystemExtra;
    switch (event) {
    case 'added': return `${from_user_id} added ${user_ids.join(', ')}`;
    case 'left': return `${from_user_id} left`;
    default: return null; // the others are shown alike; events of a later server are not shown
    }
}

export async function found(name: string, friends: string[]): Promise<string> {
    const {id, left_out} = await client.rest.createGroup({name, user_ids: friends, client_group_id: crypto.randomUUID()});
    left_out.forEach(({user_id, code}) => console.warn(`${user_id}: ${code}`));
    await client.send({conversation_id: id, content: 'Welcome', mentions: ['*']}).done;
    return id;
}

export async function seenBy(messageId: string): Promise<string[]> {
    const readers: string[] = [];
    for await (const {user_id} of client.rest.each((page) => client.rest.receipts(messageId, page)))
        readers.push(user_id);
    return readers;
}

export async function say(to: string, content: string): Promise<Message | null> {
    const {done} = client.send({to, content});
    try {
        return await done;
    } catch (error) {
        if (error instanceof Problem && error.code === 'not_friends')
            await client.rest.requestFriend(to);
        return null;
    }
}

export async function friendsOnline(): Promise<string[]> {
    const online: string[] = [];
    for await (const friend of client.rest.each((page) => client.rest.friends(page))) {
        if (friend.online)
            online.push(friend.user.user_id);
    }
    client.watch(online);
    return online;
}

// @ts-expect-error: there is no such event
client.on('nonsense', () => {});
// @ts-expect-error: seq is a number
client.on('message', (m) => m.seq.toUpperCase());
