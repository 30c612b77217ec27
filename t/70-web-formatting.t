# SPDX-License-Identifier: BSD-2-Clause
# Proves formatting on the chat page: shortcuts that become it when a message is sent or edited, how it is shown on both
# sides, spoilers by mouse and keyboard, links that say where they lead, formatting from outside that would deceive, and
# that editing gives the shortcuts back.
use utf8;
use Tidings;
use Tidings::Web;

my $missing = Tidings::Browser::missing();
plan skip_all => $missing if $missing;
binmode Test::More->builder->$_, ':utf8' for qw(output failure_output);
my $web = Tidings::Web->start;
my $t = $web->t;
$t->befriend(qw(ann ben));
$t->api('ann')->post('/messages/conversations/create', {user_id => 'ben'});
my ($ann, $ben) = map { $web->enter($_) } qw(ann ben);
$ann->open_chat('ben');
my $field = q{document.querySelector('#compose')};
my $json = JSON::PP->new->allow_nonref->canonical;

sub newest { return $t->api('ann')->get('/messages/conversations')->json->{items}[0]{last_message} }
sub say_it {
	my ($text, $content) = @_;
	# A new line that is typed would send.
	$ann->value("$field.focus(); $field.value = " . $json->encode($text) . "; $field.dispatchEvent(new Event('input')); 0");
	$ann->key('Enter')->wait_value(q{[...document.querySelectorAll('.message')].at(-1)?.querySelector('.ticks.sent, .ticks.read')});
	wait_for('it to be stored', sub { (newest() // {content => ''})->{content} eq $content });
	return newest();
}
# What the elements of the last message are: <strong>b</strong>, without attributes.
sub drawn { my ($page) = @_; return $page->value(q{[...document.querySelectorAll('.message')].at(-1).querySelector('.text').innerHTML.replace(/<(\w+)[^>]*>/g, '<$1>')}) }
sub sent_raw { my ($content, @entities) = @_; my $r = $t->api('ben')->post('/messages/send', {to_user_id => 'ann', message_type => 'text', content => $content, entities => \@entities}); die $r->body if $r->status != 201; return $r->json }

subtest 'shortcuts' => sub {
	my $m = say_it('**b** _i_ ~~s~~ `c*d*` 🙂 **x *y* z** 2 * 3', 'b i s c*d* 🙂 x y z 2 * 3');
	is_deeply [map { join ' ', @$_{qw(type offset length)} } @{$m->{entities}}], ['bold 0 1', 'italic 2 1', 'strikethrough 4 1', 'code 6 4', 'bold 14 5', 'italic 16 1'], 'become entities, in UTF-16';
	is drawn($ann), '<strong>b</strong> <em>i</em> <s>s</s> <code>c*d*</code> 🙂 <strong>x <em>y</em> z</strong> 2 * 3', 'and are shown';
	$ben->wait_text('.chat[data-user=ann] .preview', 'b i s c*d* 🙂 x y z 2 * 3')->open_chat('ann')->wait_last('b i s c*d* 🙂 x y z 2 * 3');
	is drawn($ben), drawn($ann), 'on the other side too; the list shows the text';
	$ann->value("$field.focus()");
	$m = say_it("look:\n> one\n> **two**\n```perl\nmy \$x = **1**;\n```\nend", "look:\none\ntwo\nmy \$x = **1**;\nend");
	is_deeply [map { [@$_{qw(type language)}] } @{$m->{entities}}], [['quote', undef], ['bold', undef], ['pre', 'perl']], 'in several lines';
	is drawn($ann), "look:<blockquote>one\n<strong>two</strong></blockquote><pre><code>my \$x = **1**;</code></pre>end", 'quotes and blocks have lines of their own';
	$ann->key('ArrowUp')->wait_value("$field.value.startsWith('look')");
	is $ann->value("$field.value"), "look:\n> one\n> **two**\n```perl\nmy \$x = **1**;\n```\nend", 'editing gives the shortcuts back';
	$ann->insert(' ~~now~~')->key('Enter')->wait_value(q{document.querySelector('.message:last-child s')?.textContent === 'now'});
	$ben->wait_value(q{document.querySelector('.message:last-child s')?.textContent === 'now'});
	$ann->wait_composer('');
	pass 'and takes them';
	$m = say_it('C:\* 2 ** 3 _x', 'C:\* 2 ** 3 _x');
	is $m->{entities}, undef, 'what is no shortcut is text';
	$m = say_it('\*no*', '*no*');
	is $m->{entities}, undef, 'nor what follows a backslash';
	$ann->key('ArrowUp')->wait_value("$field.value === " . $json->encode('\*no\*'));
	$ann->key('Escape');
	pass 'which comes back with it';
};

subtest 'what no shortcut says' => sub {
	my $m = $t->api('ann')->post('/messages/send', {to_user_id => 'ben', message_type => 'text', content => 'under line', entities => [{type => 'underline', offset => 0, length => 5}]})->json;
	$ann->wait_last('under line');
	is drawn($ann), '<u>under</u> line', 'is shown';
	$ann->key('ArrowUp')->wait_value("$field.value === 'under line'");
	$ann->insert(' **two**')->key('Enter')->wait_last('under line two')->wait_composer('');
	is drawn($ann), '<u>under</u> line <strong>two</strong>', 'and stays, where it was not changed';
};

subtest 'spoilers' => sub {
	say_it('it was ||the **butler**||', 'it was the butler');
	$ben->wait_last('it was the butler')->wait_text('.chat[data-user=ann] .preview', 'it was [Spoiler]');
	pass 'the list does not show it';
	is_deeply $ben->value(q{(() => { const s = document.querySelector('.message:last-child .spoiler'), inside = s.querySelector('.inside'); return [s.getAttribute('role'), s.getAttribute('aria-label'), s.tabIndex, inside.inert, getComputedStyle(inside).visibility]; })()}),
		['button', 'Hidden text: show it', 0, JSON::PP::true, 'hidden'], 'nor the message, to anyone';
	$ben->click('.message:last-child .spoiler')->wait_value(q{getComputedStyle(document.querySelector('.message:last-child .inside')).visibility === 'visible'});
	is $ben->value(q{document.querySelector('.message:last-child .spoiler').getAttribute('role')}), undef, 'pressed, it is text';
	$ann->value(q{document.querySelector('.message:last-child .spoiler').focus()});
	$ann->key('Enter')->wait_value(q{document.querySelector('.message:last-child .spoiler').matches('.revealed')});
	is $ann->count('[role=menu]'), 0, 'by keyboard too, which opens no menu then';
	$t->api('ben')->put('/messages/' . newest()->{id} . '/read');
	$ann->wait_value(q{document.querySelector('.message:last-child .ticks.read')});
	is $ann->count('.message:last-child .spoiler.revealed'), 1, 'drawn anew, it stays';
	$ben->choose('.message:last-child', 'Reply')->wait_text('.reply-bar', 'it was [Spoiler]');
	$ben->key('Escape');
	pass 'a quote hides it';
};

subtest 'links' => sub {
	my $m = say_it('[docs](https://example.org/a_b) and [mail](mailto:ann@example.org) [no](javascript:alert(1))', 'docs and mail [no](javascript:alert(1))');
	my $links = q{[...document.querySelectorAll('.message:last-child .text a')].map((a) => [a.getAttribute('href'), a.rel, a.target, a.nextSibling?.textContent])};
	is_deeply $ann->value($links), [['https://example.org/a_b', 'noopener noreferrer', '_blank', ' (example.org)'], ['mailto:ann@example.org', 'noopener noreferrer', '_blank', ' (ann@example.org)']],
		'open apart, and say where they lead';
	sent_raw('https://bank.example and x', {type => 'link', offset => 0, length => 20, url => 'https://evil.example/'}, {type => 'bold', offset => 25, length => 1});
	$ann->wait_value(q{document.querySelector('.message:last-child strong')});
	is_deeply $ann->value($links), [['https://evil.example/', 'noopener noreferrer', '_blank', ' (evil.example)']], 'also where the text says otherwise';
};

subtest 'from outside' => sub {
	my @hostile = ('<b>x</b><img src=x onerror=alert(1)>', 'nested');
	sent_raw($hostile[0], {type => 'bold', offset => 0, length => 8}, {type => 'pre', offset => 8, length => 28, language => '"><script>'});
	$ann->wait_value(q{document.querySelector('.message:last-child pre')});
	is $ann->value(q{document.querySelector('.message:last-child .text').textContent}), $hostile[0], 'markup is text';
	is $ann->count('.message:last-child .text img, .message:last-child .text script'), 0, 'and makes no element';
	sent_raw('n' x 100, map { {type => 'spoiler', offset => $_, length => 100 - $_} } 0 .. 99);
	$ann->wait_value(q{[...document.querySelectorAll('.message:last-child .spoiler')].length === 100});
	$ann->wait_text('.chat[data-user=ben] .preview', '[Spoiler]');
	pass 'a hundred within one another';
	# What no server takes: the documents forbid it, so that none of it comes from one here.
	Tidings::Web::modules($web->root . '/modules');
	is $ann->value(q{(async () => {
		const {richText} = await import('./modules/web/js/rich_text.js');
		const entities = [{type: 'link', offset: 0, length: 4, url: 'javascript:alert(1)'}, {type: 'bold', offset: 2, length: 40}, {type: 'constructor', offset: 5, length: 3}, {type: 'link', offset: 9, length: 4}];
		return richText({id: 'x', content: 'link and more', entities}, []).outerHTML;
	})()}), '<p class="text" dir="auto">link and more</p>', 'nothing is made of what does not fit';
};

subtest 'on a phone, in Chinese' => sub {
	my $phone = $web->enter('ben', width => 360, height => 640, mobile => 1, before => q{Object.defineProperty(navigator, 'languages', {get: () => ['zh-CN']});});
	$t->send_text('ann', 'ben', 'a' x 10);
	my $wide = 'x' x 300;
	$t->api('ann')->post('/messages/send', {to_user_id => 'ben', message_type => 'text', content => "代码 $wide 秘密", entities => [{type => 'pre', offset => 3, length => 300, language => 'c'}, {type => 'spoiler', offset => 304, length => 2}]});
	$phone->wait_text('.chat[data-user=ann] .preview', '代码')->open_chat('ann')->wait_value(q{document.querySelector('.message:last-child pre')});
	ok $phone->value(q{document.querySelector('.timeline').scrollWidth <= document.querySelector('.timeline').clientWidth && document.querySelector('.message:last-child pre').getBoundingClientRect().right <= innerWidth}), 'nothing is wider than the screen';
	is $phone->value(q{document.querySelector('.message:last-child .spoiler').getAttribute('aria-label')}), '隐藏内容：点击显示', 'a spoiler is named';
	is_deeply [$phone->own_faults], [], 'no fault in the console';
	$phone->close;
};

is_deeply [map { $_->own_faults } $ann, $ben], [], 'no error in the consoles, nothing refused by the policy';
$web->stop;
done_testing;
