# SPDX-License-Identifier: BSD-2-Clause
# Proves that doc/openapi.yaml and doc/asyncapi.yaml are well made and complete: references lead somewhere, nothing is
# unused, every example is valid, and the sources and the documents name the same paths, frames, events, codes and close
# codes; that contrib/web/api.json is made of them; and that doc/api.md explains every code. What goes over the wire is
# held against them by all other tests (t/lib/Tidings/Spec.pm), of which the last part proves that it would notice.
use Tidings;
use Tidings::HTTP::Response;
use Tidings::Spec;
use Tidings::Util qw(run slurp);
use JSON::PP ();

my $top = Tidings::top();
my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my ($openapi, $asyncapi) = Tidings::Spec::documents();
# Now, as looking at a value may change how Perl prints it.
my $written = $json->encode({openapi => $openapi, asyncapi => $asyncapi});
my $root = Tidings::Spec::combined();
my $closed = Tidings::Spec::closed_schemas();
my @methods = qw(get head put post patch delete);

sub source { return slurp("$top/src/$_[0]") }
sub all_sources { return join '', map { slurp($_) } map { glob "$top/src/$_/*.[ch]" } qw(im cmd api live net) }

# Calls the code with every hash of a document and where it is.
sub walk {
	my ($v, $at, $code) = @_;
	if (ref $v eq 'HASH') {
		$code->($v, $at);
		walk($v->{$_}, "$at/" . ($_ =~ s/~/~0/gr =~ s{/}{~1}gr), $code) for sort keys %$v;
	} elsif (ref $v eq 'ARRAY') {
		walk($v->[$_], "$at/$_", $code) for 0 .. $#$v;
	}
	return;
}

# [method, template, operation, path item] of all.
my @operations = map { my $path = $_; my $item = $openapi->{paths}{$path}; map { [$_, $path, $item->{$_}, $item] } grep { $item->{$_} } @methods } sort keys %{$openapi->{paths}};
sub resolved { my ($v) = @_; return Tidings::Spec::deref({%$root, openapi => $openapi, asyncapi => $asyncapi}, Tidings::Spec::prepare({v => $v}, '#/openapi/')->{v}) }

subtest 'structure' => sub {
	is $openapi->{openapi}, '3.1.0', 'OpenAPI 3.1';
	is $asyncapi->{asyncapi}, '3.0.0', 'AsyncAPI 3.0';
	my ($version) = slurp("$top/configure.ac") =~ /AC_INIT\(\[tidings\], \[([^\]]+)\]/;
	is $_->{info}{version}, $version, 'the version of the program' for $openapi, $asyncapi;
	my (%uses, @lost);
	walk($root, '#', sub {
		my ($v, $at) = @_;
		my $ref = $v->{'$ref'} // return;
		$uses{$ref}++;
		push @lost, "$at: $ref" if !eval { Tidings::Spec::deref($root, $v); 1 };
		# JSON::Validator makes a schema of the two for a moment, and may then take it for another one.
		push @lost, "$at: more than a reference" if keys %$v > 1;
	});
	is_deeply \@lost, [], 'every reference leads somewhere';
	$uses{"#/openapi/components/securitySchemes/$_"}++ for map { keys %$_ } map { @{$_->{security} // []} } $openapi, map { $_->[2] } @operations;
	my @unused;
	for my $document (qw(openapi asyncapi)) {
		my $components = $root->{$document}{components};
		push @unused, grep { !$uses{$_} } map { my $kind = $_; map { "#/$document/components/$kind/$_" } sort keys %{$components->{$kind}} } sort keys %$components;
	}
	is_deeply \@unused, [], 'and every component is used';
	my @null;
	walk($root, '#', sub { my ($v, $at) = @_; push @null, map { "$at: $_" } grep { !defined $v->{$_} } sort keys %$v });
	is_deeply \@null, [], 'and no member is empty, as what follows a comma in a text without quotes would be';
};

subtest 'operations' => sub {
	my (%ids, %tags, @faults);
	$tags{$_->{name}} = 1 for @{$openapi->{tags}};
	for (@operations) {
		my ($method, $path, $op, $item) = @$_;
		my $name = "$method $path";
		push @faults, "$name: operationId" if !defined $op->{operationId} || $ids{$op->{operationId}}++;
		push @faults, "$name: summary" if !length($op->{summary} // '');
		push @faults, "$name: tags" if @{$op->{tags} // []} != 1 || !$tags{$op->{tags}[0]};
		my @parameters = map { resolved($_) } @{$item->{parameters} // []}, @{$op->{parameters} // []};
		my @named = sort map { $_->{name} } grep { $_->{in} eq 'path' && $_->{required} } @parameters;
		push @faults, "$name: path parameters @named" if "@named" ne join ' ', sort $path =~ /\{(\w+)\}/g;
		my %r = map { $_ => resolved($op->{responses}{$_}) } keys %{$op->{responses}};
		my $admin = $item->{servers};
		my @needs = ('default', !$admin && @{$op->{security} // [1]} ? 401 : (), $op->{requestBody} ? (400, 413, 415) : (), $admin ? () : 503, grep({ $_->{in} eq 'query' } @parameters) ? 400 : ());
		push @faults, map { "$name: no $_" } grep { !$r{$_} } @needs;
		for my $status (sort keys %r) {
			push @faults, "$name $status: description" if !length($r{$status}{description} // '');
			push @faults, "$name $status: X-Request-Id" if !$r{$status}{headers}{'X-Request-Id'};
			push @faults, "$name $status: Retry-After" if $status =~ /^(429|503)$/ && !$r{$status}{headers}{'Retry-After'};
			push @faults, "$name $status: WWW-Authenticate" if $status eq '401' && !$r{$status}{headers}{'WWW-Authenticate'};
			push @faults, "$name $status: not a problem" if ($status eq 'default' || $status >= 400) && join(' ', keys %{$r{$status}{content}}) ne 'application/problem+json';
		}
	}
	is_deeply \@faults, [], 'each has a name, a summary, a tag, its parameters and the answers that all have';
};

subtest 'examples' => sub {
	my ($count, @faults) = (0);
	my $check = sub {
		my ($what, $value, $schema, $schemas) = @_;
		$count++;
		push @faults, map { "$what: $_" } ($schemas // $closed)->validate($value, $schema);
	};
	for (['openapi', $openapi], ['asyncapi', $asyncapi]) {
		my ($document, $doc) = @$_;
		walk($doc, "#/$document", sub {
			my ($v, $at) = @_;
			my $schema = sub { Tidings::Spec::deref($closed->data, {'$ref' => "$at$_[0]"}) };
			if ($at =~ m{/schemas/\w+\z}) {
				push @faults, "$at has no example" if !@{$v->{examples} // []};
				$check->($at, $_, $schema->('')) for @{$v->{examples} // []};
			} elsif ($at =~ m{/messages/\w+\z} && $v->{payload}) {
				push @faults, "$at has no example" if !@{$v->{examples} // []};
				# The client's are open: send is the body of a request with some members more.
				my $schemas = $at =~ /(?:Event|Result)\z/ ? $closed : Tidings::Spec::open_schemas();
				my $of = Tidings::Spec::deref($schemas->data, {'$ref' => "$at/payload"});
				$check->($at, $_->{payload}, $of, $schemas) for @{$v->{examples} // []};
			} elsif ($at =~ m{/parameters/\w+\z}) {
				return if $v->{'$ref'};
				my $of = Tidings::Spec::deref($closed->data, $schema->('/schema'));
				$check->($at, Tidings::Spec::as_typed($of, $v->{example} // return push @faults, "$at has no example"), $of);
			} elsif ($at =~ m{/content/[^/]+\z}) {
				$check->($at, $v->{example}, $schema->('/schema')) if exists $v->{example};
				my $has = exists $v->{example} || $v->{schema}{oneOf} || $v->{schema}{'$ref'};
				push @faults, "$at has no example" if !$has;
			}
		});
	}
	is_deeply \@faults, [], 'every example is valid, and nothing is without one';
	cmp_ok $count, '>', 100, "$count of them";
};

subtest 'what the server says is there whole' => sub {
	my @faults;
	# HookAnswer is what others say to the server, and a HookQuestion about a new message has no `edit`.
	my %request = map { ("#/openapi/components/schemas/$_" => 1) } grep { /Request\z|\A(?:ProfileChange|HookAnswer|HookQuestion)\z/ && $_ ne 'FriendRequest' } keys %{$openapi->{components}{schemas}};
	walk($root, '#', sub {
		my ($v, $at) = @_;
		my ($schema) = $at =~ m{\A(#/openapi/components/schemas/\w+)};
		return if !$v->{properties} || ($v->{type} // '') ne 'object' || $at =~ m{/bindings/|/messages/(?:\w+)/payload/allOf} || ($schema && $request{$schema});
		my ($message) = $at =~ m{\A#/asyncapi/components/messages/(\w+)/payload\z};
		return if $message && $message !~ /(?:Event|Result)\z/;
		my %required = map { $_ => 1 } @{$v->{required} // []};
		push @faults, map { "$at: $_ may be missing" } grep { !$required{$_} } sort keys %{$v->{properties}};
		push @faults, map { "$at: $_ is required and not there" } grep { !$v->{properties}{$_} } sort keys %required;
	});
	is_deeply \@faults, [], 'no member of an answer or event is optional';
};

# ---- the sources ----

subtest 'the table of commands' => sub {
	my $table = source('cmd/table.c') . source('api/command.c');
	my (%there, %frames);
	while ($table =~ /\{"\w+",\s*VERB_(\w+),\s*("[^"]*"|NULL),\s*("\w+"|NULL),\s*BODY_(\w+),\s*ACCESS_(\w+)/g) {
		my ($verb, $path, $frame, $body, $access) = ($1, $2, $3, $4, $5);
		$body =~ s/FILE|LINES/OPTIONAL/;
		$access =~ s/SIGNED/USER/;
		$frames{$1} = 1 if $frame =~ /"(\w+)"/;
		$there{lc($verb) . ' ' . ($1 =~ s/\{\w+\}/{}/gr)} = "body $body, for " . ($access eq 'PUBLIC' ? 'ANYONE' : $access) if $path =~ /"(.*)"/;
	}
	cmp_ok scalar keys %there, '>=', 28, 'is where this test looks';
	my %documented = map {
		my ($method, $path, $op) = @$_;
		my $body = $op->{requestBody};
		"$method " . ($path =~ s/\{\w+\}/{}/gr) => 'body ' . (!$body ? 'IGNORED' : $body->{required} ? 'REQUIRED' : 'OPTIONAL')
			. ', for ' . ($path =~ m{^/admin/} ? 'ADMIN' : $op->{security} && !@{$op->{security}} ? 'ANYONE' : 'USER');
	} grep { !$_->[3]{servers} || $_->[1] =~ m{^/admin/} } @operations;
	is_deeply \%documented, \%there, 'the paths, verbs, bodies, and which need a token';
	my %asked = map { my ($m) = $_->{messages}[0]{'$ref'} =~ m{(\w+)\z}; $asyncapi->{components}{messages}{$m}{name} => 1 } grep { $_->{action} eq 'receive' } values %{$asyncapi->{operations}};
	is_deeply \%asked, \%frames, 'the frames';
	my %admin = map { $_ => 1 } source('api/admin_door.c') =~ /str_is\(req->path, "([^"]+)"\)/g;
	is_deeply {map { $_->[1] => 1 } grep { $_->[3]{servers} && $_->[1] !~ m{^/admin/} } @operations}, \%admin, 'and admin.listen';
	is_deeply [grep { !$_->[3]{servers} != ($_->[1] !~ m{^/admin/} && !$admin{$_->[1]}) } @operations], [], 'where all else of it is for administrators';
};

# code => {status => 1}, of the sources: the table of problems, and what the layers below refuse by themselves.
my %codes;
{
	my $all = all_sources();
	$codes{$2}{$1} = 1 while $all =~ /X\(\w+,\s*(\d+),\s*"(\w+)"\)/g;
	$codes{$2}{$1} = 1 while $all =~ /refuse\(why_r,\s*(\d+),\s*"(\w+)"/g;
	$codes{$2}{$1} = 1 while $all =~ /struct http_refusal \w+ = \{(\d+),\s*"(\w+)"/g;
	$codes{$2}{$1} = 1 while $all =~ /http_reply_problem\(\w+,\s*(\d+),\s*"(\w+)"/g;
}

subtest 'codes' => sub {
	is_deeply [sort @{$openapi->{components}{schemas}{ProblemCode}{enum}}], [sort keys %codes], 'all are listed, and no others';
	my (%documented, @listed);
	my $responses = $openapi->{components}{responses};
	for my $response (values %$responses) {
		my $refined = ($response->{content}{'application/problem+json'} // next)->{schema}{allOf}[1];
		for my $of ($refined->{anyOf} ? @{$refined->{anyOf}} : $refined) {
			$documented{$_}{$of->{properties}{status}{const}} = 1 for @{$of->{properties}{code}{enum} // [$of->{properties}{code}{const}]};
		}
	}
	is_deeply \%documented, \%codes, 'each with its status, in some answer';
	push @listed, "$1 $2" while $responses->{Refused}{description} =~ /^\| (\d+) \| `(\w+)` \|/mg;
	is_deeply [sort @listed], [sort map { "$_->{properties}{status}{const} $_->{properties}{code}{const}" } @{$responses->{Refused}{content}{'application/problem+json'}{schema}{allOf}[1]{anyOf}}],
		'the table of what every path may answer agrees with its schema';
	my $guide = slurp("$top/doc/api.md");
	my %explained;
	while ($guide =~ /^\| ([\d, ]+|—) \| `(\w+)` \| (.+?) \| (.+?) \|$/mg) {
		my ($statuses, $code) = ($1, $2);
		$explained{$code}{$_} = 1 for $statuses =~ /\d+/g;
	}
	is_deeply \%explained, \%codes, 'and doc/api.md says of each what to do';
	my %code = map { $_ => 1 } keys %codes;
	is_deeply [grep { !$code{$_} } @{$asyncapi->{components}{messages}{errorEvent}{payload}{properties}{code}{enum}}], [], 'those of a frame are among them';
};

subtest 'events' => sub {
	my $im = join '', map { slurp($_) } map { glob "$top/src/$_/*.c" } qw(cmd api live);
	my %sent = map { $_ => 1 } $im =~ /json_put_cstr\(o, "type", "(\w+)"\)/g, $im =~ /(?:begin_frame|begin_event|begin_change|event_begin(?:_in)?)\([^,"]+, "(\w+)"/g, $im =~ /\{\\"type\\":\\"(\w+)\\"/g;
	my %documented = map { $_->{name} => 1 } map { $asyncapi->{components}{messages}{$_} } grep { /(?:Event|Result)\z/ } keys %{$asyncapi->{components}{messages}};
	is_deeply \%documented, \%sent, 'those that the server sends';
	my %kinds = map { $_ => 1 } source('cmd/friend.c') =~ /"(friend_[a-z]+)"/g;
	my $kind = $openapi->{components}{schemas}{NotificationKind};
	is_deeply {map { $_ => 1 } $kind->{description} =~ /^\| `(\w+)` \|/mg}, \%kinds, 'the kinds of notifications of its own';
	is_deeply [grep { my $name = $_; !grep { $_ eq $name } @{$kind->{examples}} } sort keys %kinds], [], 'and each is an example';
	my @channel = sort keys %{$asyncapi->{channels}{session}{messages}};
	is_deeply \@channel, [sort keys %{$asyncapi->{components}{messages}}], 'the channel has all messages';
	my %used;
	walk($asyncapi->{operations}, '#', sub { $used{$1}++ if ($_[0]{'$ref'} // '') =~ m{\A#/channels/session/messages/(\w+)\z} });
	is_deeply [sort keys %used], \@channel, 'and each is in an operation';
	for my $m (map { $asyncapi->{components}{messages}{$_} } @channel) {
		my ($payload) = $m->{payload}{allOf} ? $m->{payload}{allOf}[1] : $m->{payload};
		is $payload->{properties}{type}{const}, $m->{name}, "$m->{title} has its name as type";
	}
};

subtest 'close codes' => sub {
	my %sent = map { $_ => 1 } (source('net/ws.h') . source('net/ws_codec.h')) =~ /WS_CLOSE_\w+ = (\d{4}),(?!.*never on the wire)/g;
	# INTERNAL is for the peer to send.
	delete $sent{1011};
	is_deeply {map { $_->{code} => 1 } @{$asyncapi->{channels}{session}{'x-close-codes'}}}, \%sent, 'those that the server sends';
	my %explained = map { $_ => 1 } slurp("$top/doc/api.md") =~ /^\| (\d{4}) \|/mg;
	is_deeply \%explained, \%sent, 'and doc/api.md says of each what to do';
};

# ---- what is made of them ----

my $made = slurp("$top/contrib/web/api.json");
SKIP: {
	skip 'no YAML::PP (Debian: libyaml-pp-perl)', 1 if !eval { require YAML::PP; 1 };
	my ($status, $out, $err) = run(Tidings::dir(), "$top/contrib/api-json");
	ok $status == 0 && $out eq $made, 'contrib/web/api.json is up to date (make docs)' or diag($err);
}
ok $json->encode($json->decode($made)) eq $written, 'two readers of YAML find the same in the documents';

# ---- would it be noticed? ----

subtest 'faults are noticed' => sub {
	my $fresh = $json->decode($written);
	my ($message, $problem) = map { $fresh->{openapi}{components}{schemas}{$_}{examples}[0] } qw(Message Problem);
	my $system = $fresh->{openapi}{components}{schemas}{Message}{examples}[1];
	my $group = (grep { $_->{kind} eq 'group' } @{$fresh->{openapi}{components}{schemas}{Conversation}{examples}})[0];
	isnt $group, undef, 'a group is an example';
	my $faults = sub {
		my ($method, $path, $status, $body, %o) = @_;
		my $text = $json->encode($body);
		my $type = $status < 400 ? 'application/json' : 'application/problem+json';
		my $answer = "HTTP/1.1 $status X\r\nX-Request-Id: r\r\nContent-Type: $type\r\nContent-Length: " . length($text) . "\r\n" . ($o{headers} // '') . "\r\n$text";
		my $request = "$method $path HTTP/1.1\r\nHost: x\r\n\r\n" . ($o{request} ? $json->encode($o{request}) : '');
		return [Tidings::Spec::exchange_faults(method => $method, path => $path, bytes => $request, response => Tidings::HTTP::Response->parse(\$answer))];
	};
	my %send = (to_user_id => 'bob', message_type => 'text', content => 'hi');
	is_deeply $faults->('POST', '/messages/send', 201, $message, request => \%send), [], 'a good exchange has none';
	is_deeply $faults->('GET', '/groups/17179869190', 200, $group), [], 'nor has a group';
	is_deeply $faults->('GET', '/messages/mentions', 200, {items => [$system], next_cursor => undef}), [], 'nor a system message';
	my @bad = (
		['a message of both kinds', 'POST', '/messages/send', 201, {%$message, is_read => undef}, request => \%send],
		['a recipient too many', 'POST', '/messages/send', 201, $message, request => {%send, conversation_id => '7'}],
		['no recipient', 'POST', '/messages/send', 201, $message, request => {message_type => 'text', content => 'hi'}],
		['a system message that says nothing', 'GET', '/messages/mentions', 200, {items => [{%$system, extra => undef}], next_cursor => undef}],
		['an event that nobody knows', 'GET', '/messages/mentions', 200, {items => [{%$system, extra => {event => 'sang', user_ids => []}}], next_cursor => undef}],
		['a group without a group', 'GET', '/groups/17179869190', 200, {%$group, group => undef}],
		['a role of another name', 'GET', '/groups/17179869190', 200, {%$group, group => {%{$group->{group}}, role => 'king'}}],
		['another member', 'POST', '/messages/send', 201, {%$message, more => 1}, request => \%send],
		['a number for an id', 'POST', '/messages/send', 201, {%$message, id => 5}, request => \%send],
		['a member less', 'POST', '/messages/send', 201, {map { $_ => $message->{$_} } grep { $_ ne 'seq' } keys %$message}, request => \%send],
		['an unknown type', 'POST', '/messages/send', 201, {%$message, message_type => 'poem'}, request => \%send],
		['a status', 'POST', '/messages/send', 202, $message, request => \%send],
		['a code of another path', 'POST', '/messages/send', 403, {%$problem, code => 'not_sender'}],
		['an unknown code', 'POST', '/messages/send', 403, {%$problem, code => 'no_luck'}],
		['a header less', 'POST', '/messages/send', 429, {%$problem, status => 429, code => 'rate_limited'}],
		['a bad request that was granted', 'POST', '/messages/send', 201, $message, request => {%send, content => undef}],
		['a bad parameter that was granted', 'GET', '/messages/conversations?limit=0', 200, {items => [], next_cursor => undef}],
		['a sticker that is none', 'POST', '/messages/send', 201, {%$message, message_type => 'sticker', media_url => '/x', extra => {pack => 'p'}}, request => {%send, message_type => 'sticker', extra => {pack => 'p', sticker => 's'}}],
		['a sticker without a name', 'POST', '/messages/send', 201, {%$message, message_type => 'sticker', media_url => '/x', extra => {pack => 'p', sticker => 's', emoji => 'e'}}, request => {%send, message_type => 'sticker', extra => {pack => 'p'}}],
		['an unknown path', 'GET', '/messages/everything', 200, {items => []}],
		['an unknown method', 'POST', '/friends', 200, {items => []}],
	);
	isnt scalar @{$faults->(@$_[1 .. $#$_])}, 0, $_->[0] for @bad;
	my $raw = sub {
		my ($status, $body) = @_;
		my $type = $status < 400 ? 'application/json' : 'application/problem+json';
		my $answer = Tidings::HTTP::Response->new($status, {'content-type' => $type, 'x-request-id' => 'r'}, $json->encode($body));
		return scalar(my @faults = Tidings::Spec::answer_faults($answer));
	};
	is $raw->(200, {unread_count => 3}), 0, 'an answer to raw bytes may be one of any operation';
	my %malformed = (%$problem, status => 400, code => 'malformed_request');
	is $raw->(400, \%malformed), 0, 'or a refusal';
	isnt $raw->(@$_), 0, 'but no other' for [200, {unread => 3}], [418, {%malformed, status => 418}], [400, {%malformed, code => 'no_luck'}];
	my $read = $fresh->{asyncapi}{components}{messages}{readResult}{examples}[0]{payload};
	my $asked = sub { $json->encode({type => $_[0], ref => '2', conversation_id => '7', message_id => '8'}) };
	is_deeply [Tidings::Spec::event_faults($read, $asked->('read'))], [], 'a good answer has none';
	my %unexpected = ('the answer to something else' => [$read, $asked->('recall')], 'a text for a number' => [{%$read, marked => '2'}, $asked->('read')],
		'an unknown event' => [{type => 'applause'}], 'a bad frame that was granted' => [$read, $json->encode({type => 'read', ref => '2'})]);
	for my $what (sort keys %unexpected) {
		my @faults = Tidings::Spec::event_faults(@{$unexpected{$what}});
		isnt scalar @faults, 0, $what;
	}
};

done_testing;
