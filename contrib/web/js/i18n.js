// SPDX-License-Identifier: BSD-2-Clause
// Every text of the page, in English and Chinese. {name} stands for a value. A key with `_one` is for a count of 1, where
// the language tells it apart.

import {ACCOUNT_TEXTS} from './account_texts.js';
import {CONVERSATION_TEXTS} from './conversation_texts.js';
import {FIND_TEXTS} from './find_texts.js';
import {GROUP_TEXTS} from './group_texts.js';
import {INSTALL_TEXTS} from './install_texts.js';
import {MEDIA_TEXTS} from './media_texts.js';
import {RICH_TEXTS} from './rich_texts.js';
import {isolated} from './text.js';
import {lasting} from './storage.js';

const TEXTS = {
    ...ACCOUNT_TEXTS,
    ...CONVERSATION_TEXTS,
    ...FIND_TEXTS,
    ...GROUP_TEXTS,
    ...INSTALL_TEXTS,
    ...MEDIA_TEXTS,
    ...RICH_TEXTS,

    'app.title': ['Tidings', 'Tidings'],
    'app.tagline': ['Messages that arrive, once and in order.', '消息必达，不重不乱。'],
    'app.noRoom': ['Choose a conversation, or find a friend to start one.', '选择一个会话，或者找一位好友开始聊天。'],
    'app.skip': ['Skip to the conversation', '跳到会话'],

    'login.title': ['Log in', '登录'],
    'login.register': ['Register', '注册'],
    'login.userId': ['User name', '用户名'],
    'login.userIdHint': ['Letters, digits and . _ @ : -', '字母、数字以及 . _ @ : -'],
    'login.password': ['Password', '密码'],
    'login.passwordHint': ['At least 8 characters', '至少 8 个字符'],
    'login.nickname': ['Display name (optional)', '昵称（可选）'],
    'login.keep': ['Stay logged in on this device', '在此设备上保持登录'],
    'login.submit': ['Log in', '登录'],
    'login.submitRegister': ['Create account', '注册'],
    'login.busy': ['One moment …', '请稍候……'],
    'login.wrong': ['User name or password is wrong.', '用户名或密码错误。'],
    'login.taken': ['This user name is taken.', '该用户名已被占用。'],
    'login.noAccounts': ['This server has no accounts of its own. Open the link you were given.',
        '此服务器没有自己的账号系统，请打开您收到的链接。'],
    'login.closed': ['You cannot register here yourself. Ask the administrator for an account.',
        '此服务器不开放注册，请向管理员申请账号。'],
    'login.show': ['Show password', '显示密码'],

    'login.otherAsk': ['This link logs you in as {name}, but you are logged in as {me}. Log in as {name} in this tab?',
        '此链接会让您以 {name} 的身份登录，而您目前登录的是 {me}。要在此标签页中以 {name} 的身份登录吗？'],
    'login.otherYes': ['Log in as {name}', '以 {name} 登录'],
    'login.linkFailed': ['The link could not be used. {reason}', '无法使用该链接。{reason}'],

    'name.blank': ['A name needs a letter, digit or symbol that can be seen, and cannot begin with an accent alone.',
        '名称需要包含可见的字母、数字或符号，且不能以单独的附加符号开头。'],
    'name.unseen': ['This name has characters in it that cannot be seen. Please type it anew.', '名称中含有看不见的字符，请重新输入。'],
    'name.reorders': ['This name has characters in it that change the order of the others. Please type it anew.',
        '名称中含有会改变文字顺序的控制字符，请重新输入。'],

    'side.label': ['Conversations and friends', '会话和好友'],
    'side.chats': ['Chats', '聊天'],
    'side.friends': ['Friends', '好友'],
    'side.filter': ['Search chats and messages', '搜索聊天和消息'],
    'side.noChats': ['No conversations yet. Add a friend and say hello.', '还没有会话。添加一位好友，打个招呼吧。'],
    'side.noMatch': ['Nothing found.', '没有找到。'],
    'side.notifications': ['Notifications', '通知'],
    'side.settings': ['Settings', '设置'],
    'side.unread': ['{count} unread messages', '{count} 条未读消息'],
    'side.unread_one': ['1 unread message', null],
    'side.draft': ['Draft: ', '草稿：'],
    'side.you': ['You: ', '我：'],
    'side.typing': ['typing …', '正在输入……'],
    'side.hello': ['Say hello', '打个招呼'],

    'people.find': ['Find people', '查找用户'],
    'people.findLabel': ['User name of a friend', '好友的用户名'],
    'people.search': ['Search', '搜索'],
    'people.none': ['There is no user “{name}”.', '没有用户“{name}”。'],
    'people.self': ['That is you.', '这是您自己。'],
    'people.add': ['Add friend', '加为好友'],
    'people.note': ['Say who you are (optional)', '介绍一下自己（可选）'],
    'people.send': ['Send request', '发送请求'],
    'people.sent': ['Request sent', '请求已发送'],
    'people.requests': ['Friend requests', '好友请求'],
    'people.outgoing': ['Sent requests', '已发送的请求'],
    'people.waiting': ['Waiting for an answer', '等待对方回应'],
    'people.accept': ['Accept', '接受'],
    'people.decline': ['Decline', '拒绝'],
    'people.acceptOf': ['Accept the request of {name}', '接受 {name} 的请求'],
    'people.declineOf': ['Decline the request of {name}', '拒绝 {name} 的请求'],
    'people.friends': ['Friends', '好友'],
    'people.noFriends': ['No friends yet. Search for someone by user name.', '还没有好友。按用户名搜索吧。'],
    'people.message': ['Message', '发消息'],
    'people.messageTo': ['Message {name}', '给 {name} 发消息'],
    'people.more': ['More about {name}', '关于 {name} 的更多操作'],
    'people.block': ['Block', '拉黑'],
    'people.unblock': ['Unblock', '取消拉黑'],
    'people.unblockOf': ['Unblock {name}', '取消拉黑 {name}'],
    'people.declinedLately': ['{name} declined a request of yours. You can ask again {wait}.', '{name} 拒绝过您的请求，{wait}可以再次发送。'],
    'people.askedTooOften': ['You have sent too many requests. You can send another one {wait}.', '您发送的请求太多了，{wait}可以再次发送。'],
    'people.askedAlready': ['You are friends already, or one of you has asked the other.', '你们已经是好友，或者已有一方发出过请求。'],
    'people.refusesYou': ['{name} does not take requests from you.', '{name} 不接收您的请求。'],
    'people.remove': ['End friendship', '解除好友关系'],
    'people.removeAsk': ['End the friendship with {name}? Neither of you can write to the other afterwards. What was said stays.',
        '与 {name} 解除好友关系？之后双方都不能再发消息，已有的消息会保留。'],
    'people.blocked': ['Blocked', '已拉黑'],
    'people.online': ['online', '在线'],
    'people.offline': ['offline', '离线'],
    'people.lastSeen': ['last seen {time}', '最后在线：{time}'],
    'people.nowFriends': ['{name} and you are friends now.', '您和 {name} 已成为好友。'],
    'people.asks': ['{name} wants to be your friend', '{name} 想加您为好友'],
    'people.declinedBy': ['{name} declined your request.', '{name} 拒绝了您的请求。'],

    'notices.empty': ['Nothing new.', '没有新通知。'],
    'notices.markAll': ['Mark all as read', '全部标为已读'],
    'notices.more': ['Show older', '显示更早的'],
    'notices.unread': ['unread', '未读'],
    'notices.moment_comment': ['{name} commented on your moment', '{name} 评论了您的动态'],
    'notices.moment_like': ['{name} liked your moment', '{name} 赞了您的动态'],
    'notices.other': ['{kind}', '{kind}'],
    'notices.otherBy': ['{name}: {kind}', '{name}：{kind}'],

    'room.back': ['Back to the list', '返回列表'],
    'room.menu': ['About this conversation', '会话选项'],
    'room.messages': ['Messages with {name}', '与 {name} 的消息'],
    'room.older': ['Loading older messages …', '正在加载更早的消息……'],
    'room.olderFailed': ['Older messages could not be loaded.', '无法加载更早的消息。'],
    'room.begin': ['This is the beginning of your conversation with {name}.', '这是您与 {name} 的会话的开头。'],
    'room.beginLater': ['The messages that you can see begin here.', '您能看到的消息从这里开始。'],
    'room.new': ['New messages', '新消息'],
    'room.latest': ['To the latest messages', '跳到最新消息'],
    'room.loading': ['Loading …', '加载中……'],
    'room.failed': ['The messages could not be loaded.', '无法加载消息。'],
    'room.retry': ['Try again', '重试'],
    'room.notFriends': ['You and {name} are not friends. Only friends can write to each other.',
        '您和 {name} 不是好友，只有好友之间才能发消息。'],
    'room.iBlocked': ['You have blocked {name}.', '您已拉黑 {name}。'],

    'message.actions': ['Message actions', '消息操作'],
    'message.reply': ['Reply', '回复'],
    'message.edit': ['Edit', '编辑'],
    'message.edited': ['edited', '已编辑'],
    'message.editedAt': ['Edited {time}', '编辑于 {time}'],
    'message.editTooLate': ['It is too late to edit this message.', '已超过可编辑的时间。'],
    'message.copy': ['Copy text', '复制文字'],
    'message.recall': ['Recall', '撤回'],
    'message.delete': ['Delete for me', '为我删除'],
    'message.deleteAsk': ['Delete this message for you? The other side keeps it.', '为自己删除这条消息？对方仍会保留。'],
    'message.retry': ['Send again', '重新发送'],
    'message.discard': ['Discard', '放弃'],
    'message.recalledOwn': ['You recalled a message', '您撤回了一条消息'],
    'message.recalledOther': ['This message was recalled', '对方撤回了一条消息'],
    'message.tooLate': ['It is too late to recall this message.', '已超过可撤回的时间。'],
    'message.sent': ['Sent', '已发送'],
    'message.delivered': ['Delivered', '已送达'],
    'message.read': ['Read', '已读'],
    'message.waiting': ['Waiting to be sent', '等待发送'],
    'message.failed': ['Not sent', '未发送'],
    'message.failedBecause': ['Not sent. {reason}', '未发送。{reason}'],
    'message.earlier': ['An earlier message', '更早的消息'],
    'message.gone': ['Message not available', '消息不可用'],
    'message.goTo': ['Go to the message this replies to', '跳到被回复的消息'],
    'message.copied': ['Copied', '已复制'],
    'message.from': ['{name}, {time}', '{name}，{time}'],
    'message.you': ['You', '我'],

    'format.spoiler': ['Spoiler', '隐藏内容'],
    'format.reveal': ['Hidden text: show it', '隐藏内容：点击显示'],

    'composer.label': ['Write a message to {name}', '给 {name} 写消息'],
    'composer.placeholder': ['Write a message', '写消息'],
    'composer.send': ['Send', '发送'],
    'composer.attach': ['Send a photo, voice, video or file', '发送图片、语音、视频或文件'],
    'composer.replyTo': ['Reply to {name}', '回复 {name}'],
    'composer.replyToSelf': ['Reply to yourself', '回复自己'],
    'composer.editing': ['Edit the message', '编辑消息'],
    'composer.save': ['Save the edited message', '保存修改'],
    'composer.cancelEdit': ['Leave the message as it is', '放弃修改'],
    'composer.cancelReply': ['Cancel the reply', '取消回复'],
    'composer.tooLong': ['Too long: {count} of at most {max} bytes.', '太长：{count} 字节，最多 {max} 字节。'],

    'settings.title': ['Settings', '设置'],
    'settings.profile': ['Profile', '个人资料'],
    'settings.nickname': ['Display name', '昵称'],
    'settings.avatar': ['Profile picture', '头像'],
    'settings.language': ['Language', '语言'],
    'settings.theme': ['Appearance', '外观'],
    'settings.theme.auto': ['As the system', '跟随系统'],
    'settings.theme.light': ['Light', '浅色'],
    'settings.theme.dark': ['Dark', '深色'],
    'settings.alerts': ['Notify me of new messages', '有新消息时通知我'],
    'settings.alertsDenied': ['Your browser does not allow this page to notify you.', '浏览器不允许此页面发送通知。'],
    'settings.blocked': ['Blocked users', '已拉黑的用户'],
    'settings.blockedHint': ['They cannot write to you or ask to be your friend, and see you offline. They are not notified, but are told so when they try.',
        '他们不能给您发消息或好友请求，看到您始终离线。系统不会通知他们，但他们尝试时会得到提示。'],
    'settings.noneBlocked': ['You have blocked nobody.', '您没有拉黑任何人。'],
    'settings.api': ['API for developers', '面向开发者的 API'],
    'settings.logOut': ['Log out', '退出登录'],
    'settings.logOutAsk': ['Log out? {count} messages that were not sent yet will be lost.',
        '退出登录？有 {count} 条尚未发送的消息会丢失。'],
    'settings.logOutAsk_one': ['Log out? 1 message that was not sent yet will be lost.', null],
    'settings.save': ['Save', '保存'],
    'settings.saved': ['Saved', '已保存'],

    'state.connecting': ['Connecting …', '正在连接……'],
    'state.waiting': ['No connection to the server. Trying again in {seconds} s. What you write is sent then.',
        '与服务器的连接已断开，{seconds} 秒后重试。您写的消息届时会发送。'],
    'state.waitingNow': ['No connection to the server. Trying again …', '与服务器的连接已断开，正在重试……'],
    'state.replaced': ['This account is being used elsewhere, so this page was disconnected.', '此账号正在别处使用，本页面已断开。'],
    'state.kicked': ['An administrator has disconnected this page.', '管理员已断开本页面的连接。'],
    'state.use': ['Use it here', '在此使用'],
    'state.again': ['Connect again', '重新连接'],
    'state.storageFull': ['The browser has no room left: what is not sent yet is lost when this page is closed.',
        '浏览器存储空间已满：关闭此页面后，尚未发送的内容会丢失。'],
    'state.online': ['Connected', '已连接'],
    'state.offline': ['Not connected', '未连接'],

    'dialog.cancel': ['Cancel', '取消'],
    'dialog.ok': ['OK', '确定'],
    'dialog.close': ['Close', '关闭'],

    'time.today': ['Today', '今天'],
    'time.yesterday': ['Yesterday', '昨天'],

    // Whole sentences: they are shown alone or after another sentence.
    'problem.not_friends': ['You are not friends.', '你们不是好友。'],
    'problem.blocked': ['This person does not take messages from you.', '对方不接收您的消息。'],
    'problem.forbidden': ['You are not allowed to do this.', '您没有权限这样做。'],
    'problem.rate_limited': ['Too many attempts. Please wait a little.', '尝试太频繁，请稍候。'],
    'problem.invalid_argument': ['The server refused this ({detail}).', '服务器拒绝了此操作（{detail}）。'],
    'problem.payload_too_large': ['This is too long.', '内容太长。'],
    'problem.disconnected': ['The server cannot be reached.', '无法连接服务器。'],
    'problem.timeout': ['The server did not answer in time.', '服务器没有及时响应。'],
    'problem.unavailable': ['The server is busy. Please try again soon.', '服务器繁忙，请稍后再试。'],
    'problem.overloaded': ['The server is busy. Please try again soon.', '服务器繁忙，请稍后再试。'],
    'problem.conflict': ['This has been done already.', '此操作之前已经完成。'],
    'problem.not_found': ['It is not there any more.', '它已经不存在。'],
    'problem.picture_unreadable': ['This picture cannot be read.', '无法读取此图片。'],
    'problem.other': ['Something went wrong ({code}).', '出错了（{code}）。'],

    // Of a field that the server refuses, instead of its name in the API.
    'field.user_id': ['This user name cannot be used. It needs 1 to 64 letters, digits or . _ @ : -, and a few names are reserved.',
        '不能使用此用户名：应为 1 至 64 个字母、数字或 . _ @ : -，另有少数名称被保留。'],
    'field.password': ['This password cannot be used. It needs at least 8 characters, and cannot be very long.',
        '不能使用此密码：至少 8 个字符，且不能过长。'],
    'field.new_password': ['This password cannot be used. It needs at least 8 characters, and cannot be very long.',
        '不能使用此密码：至少 8 个字符，且不能过长。'],
    'field.nickname': ['This display name cannot be used. It needs 1 to 64 characters, and some that can be seen.',
        '不能使用此昵称：应为 1 至 64 个字符，且包含可见的字符。'],
    'field.avatar_url': ['The address of the picture cannot be used. It has to begin with https:// or http://.',
        '不能使用此头像地址：应以 https:// 或 http:// 开头。'],
    'field.media_url': ['The address cannot be used. It has to begin with https:// or http://.',
        '不能使用此地址：应以 https:// 或 http:// 开头。'],
    'field.content': ['The text is too long, or has characters that cannot be sent.', '文字太长，或含有无法发送的字符。'],
    'field.entities': ['The formatting of this text cannot be sent.', '无法发送这段文字的格式。'],
    'field.note': ['The note is too long, or has characters that cannot be sent.', '附言太长，或含有无法发送的字符。'],
};

export const languages = {en: 'English', zh: '简体中文'};

const CHOSEN = 'tidings-web:language';

// en or zh; decided once, when the page is loaded.
export const language = ['en', 'zh'].find((name) => name === lasting.getItem(CHOSEN)) ??
    navigator.languages.find((l) => /^(en|zh)\b/.test(l))?.slice(0, 2) ?? 'en';
document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
const column = Object.keys(languages).indexOf(language);

export function chooseLanguage(name) {
    lasting.setItem(CHOSEN, name);
    location.reload();
}

export function t(key, values = {}) {
    const single = values.count === 1 ? TEXTS[`${key}_one`]?.[column] : null;
    return (single ?? TEXTS[key][column]).replace(/\{(\w+)\}/g, (_, name) => isolated(String(values[name] ?? '')));
}

export function hasText(key) {
    return Object.hasOwn(TEXTS, key);
}

// What went wrong, for a person, in whole sentences.
export function reasonOf({code, detail}) {
    const field = code === 'invalid_argument' && `field.${detail?.match(/^\w+(?=:)/)?.[0]}`; // the detail begins with its name
    const key = field && hasText(field) ? field : `problem.${code}`;
    return t(hasText(key) ? key : 'problem.other', {code, detail});
}
