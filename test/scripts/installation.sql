-- An installation that uses everything whose state a backup has to carry: several organizations, tenants, people, credentials,
-- limits and usage, protected tables of all kinds, a corpus with a graph, and a migration that is under way.
CREATE EXTENSION tenancy CASCADE;
SELECT tenancy.grant_app('app'), tenancy.grant_owner('owner'), tenancy.grant_control_plane('operator');

SELECT tenancy.set_plan('team', 'of our own'), tenancy.set_plan_limit('team', 'documents', 500), tenancy.set_plan_limit('team', 'tenants', 9),
       tenancy.set_plan_limit('free', 'requests', 7), tenancy.define_metric('seats', 'level');
SELECT tenancy.create_organization(o) FROM unnest('{acme,globex,initech}'::text[]) o;
SELECT tenancy.change_plan('acme', 'team');
SELECT tenancy.create_tenant(t.slug, organization => t.organization, external_key => t.key)
FROM (VALUES ('a', 'acme', '1'), ('b', 'acme', '2'), ('c', 'globex', '3'), ('d', 'initech', '4'), ('e', 'initech', '5')) t (slug, organization, key);
UPDATE tenancy.tenants SET external_key = '0', name = 'Ours', organization_id = (SELECT id FROM tenancy.organizations WHERE slug = 'globex')
WHERE slug = 'default';
UPDATE tenancy.organizations SET name = 'Us', plan = 'team', settings = '{"x": 1}' WHERE slug = 'default';
UPDATE tenancy.agents SET name = 'Our agent' WHERE id = '00000000-0000-0000-0000-000000000003';
SELECT tenancy.suspend_tenant('e');

INSERT INTO tenancy.users (email, name) SELECT format('user%s@x.example', n), 'User ' || n FROM generate_series(1, 12) n;
SELECT tenancy.create_role(t.id, 'reviewer', 20, '{data.read,members.read,keys.manage,agents.run,invitations.manage}') FROM tenancy.tenants t WHERE t.slug IN ('a', 'c');
SELECT tenancy.add_member(t.id, u.id, CASE WHEN u.name = 'User 1' THEN 'admin' WHEN t.slug IN ('a', 'c') AND u.name > 'User 5' THEN 'reviewer' ELSE 'editor' END)
FROM tenancy.tenants t, tenancy.users u WHERE t.slug <> 'e' AND u.name <> 'User 12' ORDER BY u.name;
UPDATE tenancy.users u SET current_tenant_id = t.id FROM tenancy.tenants t WHERE t.slug = 'b' AND u.name IN ('User 2', 'User 3');
INSERT INTO tenancy.user_identities (issuer, subject, user_id) SELECT 'https://idp.example', 'subject ' || name, id FROM tenancy.users;

SELECT tenancy.rotate_pepper(), tenancy.rotate_invitation_secret(keep_old => false),
       tenancy.add_token_issuer('idp', '{HS256}', 'a secret that nobody else may see', subject_claim => NULL);
CREATE TABLE public.credentials (tenant text, kind text, text text);
INSERT INTO public.credentials
SELECT t.slug, 'key', (tenancy.create_api_key(t.id, 'key of ' || t.slug, CASE t.slug WHEN 'a' THEN 'reviewer' ELSE 'editor' END)).api_key
FROM tenancy.tenants t WHERE t.slug IN ('a', 'b', 'c', 'd');
INSERT INTO public.credentials
SELECT t.slug, 'invitation', tenancy.invite(t.id, 'user12@x.example', 'viewer') FROM tenancy.tenants t WHERE t.slug IN ('a', 'c');
INSERT INTO public.credentials
SELECT t.slug, 'revoked', tenancy.invite(t.id, 'nobody@x.example', 'viewer') FROM tenancy.tenants t WHERE t.slug IN ('b');
SELECT tenancy.revoke_invitation(text) FROM public.credentials WHERE kind = 'revoked';

SELECT tenancy.set_limit('tenants', 12, organization => id) FROM tenancy.organizations WHERE slug = 'acme';
SELECT tenancy.set_limit('requests', 300, tenant => id), tenancy.set_limit('seats', 30, tenant => id) FROM tenancy.tenants WHERE slug IN ('a', 'c');
SELECT tenancy.record_usage('seats', 2, id), tenancy.record_usage('tokens', 1234, id), tenancy.record_usage('requests', 5, id) FROM tenancy.tenants;

SELECT tenancy.set_default_agent(tenancy.create_agent(t.id, 'agent of ' || t.slug, 'be brief')) FROM tenancy.tenants t WHERE t.slug IN ('a', 'b');

-- Tables of an application, in schemas that come before and after ours.
GRANT CREATE ON SCHEMA public TO owner;
CREATE SCHEMA app AUTHORIZATION owner;
CREATE SCHEMA zoo AUTHORIZATION owner;
SET ROLE owner;
CREATE TABLE app.authors (id integer PRIMARY KEY, tenant_id uuid NOT NULL, mail text UNIQUE);
CREATE TABLE app.articles (id integer PRIMARY KEY, tenant_id uuid NOT NULL, author integer REFERENCES app.authors ON DELETE CASCADE, body text);
CREATE TABLE app.words (article integer NOT NULL REFERENCES app.articles, n integer, word text, PRIMARY KEY (article, n));
CREATE TABLE zoo.by_key (id integer PRIMARY KEY, customer bigint NOT NULL);
CREATE TABLE zoo.by_text (id integer PRIMARY KEY, customer text NOT NULL);
CREATE TABLE zoo.countries (code text PRIMARY KEY);
CREATE TABLE public.parts (id integer, tenant_id uuid NOT NULL, kind text) PARTITION BY LIST (kind);
CREATE TABLE public.parts_a PARTITION OF public.parts FOR VALUES IN ('a');
CREATE TABLE public.parts_b PARTITION OF public.parts FOR VALUES IN ('b');
ALTER TABLE public.parts_a ADD CONSTRAINT own_key FOREIGN KEY (tenant_id) REFERENCES tenancy.tenants (id);
CREATE TABLE public.many (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant_id uuid NOT NULL, body text);
RESET ROLE;
INSERT INTO app.authors SELECT row_number() OVER (), t.id, t.slug || '@x.example' FROM tenancy.tenants t;
INSERT INTO app.articles SELECT row_number() OVER (), a.tenant_id, a.id, 'article ' || n FROM app.authors a, generate_series(1, 20) n;
INSERT INTO app.words SELECT id, n, 'word ' || n FROM app.articles, generate_series(1, 3) n;
INSERT INTO zoo.by_key SELECT row_number() OVER (), t.external_key::bigint FROM tenancy.tenants t, generate_series(1, 5);
INSERT INTO zoo.by_text SELECT row_number() OVER (), t.external_key FROM tenancy.tenants t, generate_series(1, 5);
INSERT INTO zoo.countries VALUES ('fr'), ('de');
INSERT INTO public.parts SELECT n, t.id, CASE n % 2 WHEN 0 THEN 'a' ELSE 'b' END FROM tenancy.tenants t, generate_series(1, 30) n;
INSERT INTO public.many (tenant_id, body) SELECT t.id, repeat('x', 50) FROM tenancy.tenants t, generate_series(1, 500) n;
SET ROLE owner;
SELECT count(*) FROM unnest('{app.authors,app.articles,public.parts,public.many}'::text[]) t, tenancy.protect(t::regclass);
SELECT count(*) FROM unnest('{zoo.by_key,zoo.by_text}'::text[]) t, tenancy.protect(t::regclass, 'customer');
SELECT FROM tenancy.protect_by_path('app.words');
SELECT FROM tenancy.share('zoo.countries');
RESET ROLE;
SELECT tenancy.audit('app.authors');
CREATE TABLE app.members (id integer PRIMARY KEY, user_id uuid REFERENCES tenancy.users (id) ON DELETE CASCADE,
                          agent uuid REFERENCES tenancy.agents (id), organization uuid NOT NULL REFERENCES tenancy.organizations (id));
INSERT INTO app.members SELECT row_number() OVER (), u.id, '00000000-0000-0000-0000-000000000003', o.id FROM tenancy.users u, tenancy.organizations o;
GRANT USAGE ON SCHEMA app, zoo TO app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA app, zoo, public TO app;

SELECT tenancy.create_corpus(dimensions => 3), tenancy.create_graph();
SELECT tenancy.audit('public.documents');
INSERT INTO public.documents (tenant_id, title) SELECT t.id, format('title %s', n) FROM tenancy.tenants t, generate_series(1, 8) n WHERE t.slug <> 'e';
DELETE FROM public.documents WHERE title = 'title 7';
INSERT INTO public.chunks (tenant_id, document_id, chunk_index, content, embedding)
SELECT tenant_id, id, n, 'apples number ' || n, ARRAY[n, 1, 2]::vector FROM public.documents, generate_series(1, 3) n;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.documents, public.chunks TO app;

BEGIN;
SELECT tenancy.enter('a', id) FROM tenancy.users WHERE name = 'User 1';
SELECT tenancy.upsert_entities('[{"name": "pear"}, {"name": "plum"}]'), tenancy.upsert_relations('[{"source": "pear", "target": "plum"}]');
SELECT tenancy.add_message(s, 'user', 'hello'), tenancy.add_message(s, 'assistant', 'hello yourself'), tenancy.start_run(session => s)
FROM tenancy.create_session(title => 'talk') s;
COMMIT;
SELECT tenancy.seal_audit();
UPDATE app.authors SET mail = 'new' || mail WHERE id = 1;

-- Half of a migration of tables that nobody has protected yet.
CREATE SCHEMA legacy;
CREATE TABLE legacy.users (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text NOT NULL UNIQUE);
CREATE TABLE legacy.notes (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id integer REFERENCES legacy.users, body text);
INSERT INTO legacy.users (email) SELECT 'user' || g || '@y.example' FROM generate_series(1, 5) g;
INSERT INTO legacy.notes (user_id, body) SELECT g % 5 + 1, 'note ' || g FROM generate_series(1, 50) g;
SELECT tenancy.start_migration(online => false, schemas => '{legacy}');
DO $$BEGIN FOR n IN 1..7 LOOP PERFORM tenancy.advance_migration(); END LOOP; END$$;
